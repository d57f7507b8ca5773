// Which device's code an operation runs, and its gradients.
#include "aim/kernels/rows.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "aim/base/error.h"
#include "aim/kernels/rows_plain.h"
#include "kernels/row_backend.h"
#ifdef AIM_HAS_CUDA_KERNELS
#include "kernels/rows_cuda.h"
#endif

namespace aim {

const RowBackend* BackendFor(const at::Tensor& x) {
  if (x.scalar_type() != at::kFloat && x.scalar_type() != at::kBFloat16) return nullptr;
  if (x.is_cpu()) return &kCpuRows;
#ifdef AIM_HAS_CUDA_KERNELS
  if (x.is_cuda() && cuda::HasFittingRows(x)) return &kCudaRows;
#endif
  return nullptr;
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

bool HasBackend(const at::Tensor& x) { return BackendFor(x) != nullptr; }

bool IsBackendDtype(at::ScalarType dtype) { return dtype == at::kFloat || dtype == at::kBFloat16; }

// Arguments of an autograd function must be defined: an empty tensor stands for an absent one.
at::Tensor OrEmpty(const at::Tensor& x, const at::Tensor& like) {
  return x.defined() ? x.contiguous() : at::empty({0}, like.options());
}
at::Tensor OrUndefined(const at::Tensor& x) { return x.numel() == 0 ? at::Tensor() : x; }

// One row for each of G equal runs of tokens.
void CheckModulation(const at::Tensor& x, const at::Tensor& modulation) {
  AIM_CHECK(x.dim() == 3 && modulation.dim() == 3 && modulation.size(0) == x.size(0));
  AIM_CHECK(modulation.size(2) == x.size(2) && x.size(1) % modulation.size(1) == 0);
}

void CheckNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
               const at::Tensor& camera) {
  CheckModulation(x, shift);
  AIM_CHECK(scale.sizes() == shift.sizes());
  if (camera.defined()) CheckModulation(x, camera);
}

void CheckSum(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  AIM_CHECK(y.sizes() == x.sizes());
  if (gate.defined()) CheckModulation(x, gate);
}

void SaveCameraShape(AutogradContext* context, const at::Tensor& camera) {
  context->saved_data["camera_rows"] = camera.defined() ? camera.size(1) : int64_t{0};
  context->saved_data["camera_dtype"] =
      static_cast<int64_t>(camera.defined() ? camera.scalar_type() : at::kFloat);
}

// d_out [B, N, D] added up in float32 over the tokens of each camera row; undefined without one.
at::Tensor CameraGradient(AutogradContext* context, const at::Tensor& d_out) {
  const int64_t rows = context->saved_data["camera_rows"].toInt();
  if (rows == 0) return {};
  const auto dtype = static_cast<at::ScalarType>(context->saved_data["camera_dtype"].toInt());
  if (rows == d_out.size(1)) return d_out.to(dtype);
  return d_out.reshape({d_out.size(0), rows, d_out.size(1) / rows, d_out.size(2)})
      .sum(2, /*keepdim=*/false, at::kFloat)
      .to(dtype);
}

struct ModulatedNormFunction : public Function<ModulatedNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& shift,
                            const at::Tensor& scale, const at::Tensor& camera_or_empty,
                            int64_t out_dtype, double eps) {
    const at::Tensor camera = OrUndefined(camera_or_empty);
    const NormForward result = BackendFor(x)->modulated_norm(
        x, shift, scale, camera, static_cast<at::ScalarType>(out_dtype), eps);
    context->save_for_backward({x, scale, result.stats});
    SaveCameraShape(context, camera);
    return result.out;
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor d_out = d_outs[0].contiguous();
    const NormBackward d =
        BackendFor(saved[0])->modulated_norm_backward(saved[0], saved[1], saved[2], d_out);
    return {d.d_x, d.d_shift, d.d_scale, CameraGradient(context, d_out), {}, {}};
  }
};

struct GatedAddFunction : public Function<GatedAddFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& y,
                            const at::Tensor& gate_or_empty) {
    context->save_for_backward({y, gate_or_empty});
    return BackendFor(x)->gated_add(x, y, OrUndefined(gate_or_empty));
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor d_out = d_outs[0].contiguous();
    const GatedAddBackward d =
        BackendFor(saved[0])->gated_add_backward(saved[0], OrUndefined(saved[1]), d_out);
    return {d_out, d.d_y, d.d_gate};
  }
};

struct GatedAddNormFunction : public Function<GatedAddNormFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& y,
                               const at::Tensor& gate_or_empty, const at::Tensor& shift,
                               const at::Tensor& scale, const at::Tensor& camera_or_empty,
                               int64_t out_dtype, double eps) {
    const at::Tensor camera = OrUndefined(camera_or_empty);
    const GatedAddNormForward result =
        BackendFor(x)->gated_add_norm(x, y, OrUndefined(gate_or_empty), shift, scale, camera,
                                      static_cast<at::ScalarType>(out_dtype), eps);
    context->save_for_backward({y, gate_or_empty, result.residual, scale, result.stats});
    SaveCameraShape(context, camera);
    return {result.residual, result.normed};
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& residual = saved[2];
    const RowBackend& backend = *BackendFor(residual);
    const at::Tensor d_normed = d_outs[1].contiguous();
    const NormBackward norm =
        backend.modulated_norm_backward(residual, saved[3], saved[4], d_normed);
    const at::Tensor d_residual = d_outs[0].contiguous() + norm.d_x;
    const GatedAddBackward add =
        backend.gated_add_backward(saved[0], OrUndefined(saved[1]), d_residual);
    const at::Tensor d_camera = CameraGradient(context, d_normed);
    return {d_residual, add.d_y, add.d_gate, norm.d_shift, norm.d_scale, d_camera, {}, {}};
  }
};

struct NormRopeFunction : public Function<NormRopeFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& cos, const at::Tensor& sin, int64_t num_heads,
                            double eps) {
    const NormRopeForward result =
        BackendFor(x)->norm_rope(x, weight, OrUndefined(cos), OrUndefined(sin), num_heads, eps);
    context->save_for_backward({x, weight, cos, sin, result.inv_rms});
    context->saved_data["num_heads"] = num_heads;
    return result.out;
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const variable_list saved = context->get_saved_variables();
    const NormRopeBackward d = BackendFor(saved[0])->norm_rope_backward(
        saved[0], saved[1], OrUndefined(saved[2]), OrUndefined(saved[3]), saved[4],
        context->saved_data["num_heads"].toInt(), d_outs[0].contiguous());
    return {d.d_x, d.d_weight, {}, {}, {}, {}};
  }
};

struct GeluFunction : public Function<GeluFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    context->save_for_backward({x});
    return BackendFor(x)->gelu_tanh(x);
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const at::Tensor x = context->get_saved_variables()[0];
    return {BackendFor(x)->gelu_tanh_backward(x, d_outs[0].contiguous())};
  }
};

}  // namespace

at::Tensor ModulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& camera, at::ScalarType out_dtype, double eps) {
  CheckNorm(x, shift, scale, camera);
  if (!HasBackend(x) || !IsBackendDtype(out_dtype))
    return ModulatedNormPlain(x, shift, scale, camera, out_dtype, eps);
  return ModulatedNormFunction::apply(x.contiguous(), shift.contiguous(), scale.contiguous(),
                                      OrEmpty(camera, x), static_cast<int64_t>(out_dtype), eps);
}

at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  CheckSum(x, y, gate);
  if (!HasBackend(x) || !HasBackend(y)) return GatedAddPlain(x, y, gate);
  return GatedAddFunction::apply(x.contiguous(), y.contiguous(), OrEmpty(gate, x));
}

ResidualAndNorm GatedAddNorm(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate,
                             const at::Tensor& shift, const at::Tensor& scale,
                             const at::Tensor& camera, at::ScalarType out_dtype, double eps) {
  CheckSum(x, y, gate);
  CheckNorm(x, shift, scale, camera);
  if (!HasBackend(x) || !HasBackend(y) || !IsBackendDtype(out_dtype))
    return GatedAddNormPlain(x, y, gate, shift, scale, camera, out_dtype, eps);
  const variable_list results = GatedAddNormFunction::apply(
      x.contiguous(), y.contiguous(), OrEmpty(gate, x), shift.contiguous(), scale.contiguous(),
      OrEmpty(camera, x), static_cast<int64_t>(out_dtype), eps);
  return {results[0], results[1]};
}

at::Tensor NormRope(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                    const at::Tensor& sin, int64_t num_heads, double eps) {
  AIM_CHECK(x.dim() == 3 && weight.numel() == x.size(2));
  if (cos.defined()) {
    AIM_CHECK(cos.dim() == 2 && cos.size(0) == x.size(1) && cos.sizes() == sin.sizes());
    AIM_CHECK(2 * num_heads * cos.size(1) == x.size(2));
  }
  if (!HasBackend(x)) return NormRopePlain(x, weight, cos, sin, num_heads, eps);
  return NormRopeFunction::apply(x.contiguous(), weight.contiguous(), OrEmpty(cos, weight),
                                 OrEmpty(sin, weight), num_heads, eps);
}

at::Tensor GeluTanh(const at::Tensor& x) {
  return HasBackend(x) ? GeluFunction::apply(x.contiguous()) : GeluTanhPlain(x);
}

}  // namespace aim
