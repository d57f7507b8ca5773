// The operations of rows.h by the kernels of rows_cuda.h.
#include "kernels/rows_cuda.h"

#include <ATen/ATen.h>

#include "aim/kernels/rows_plain.h"
#include "kernels/row_backend.h"

namespace aim {
namespace {

NormForward ModulatedNormOnCuda(const at::Tensor& x, const at::Tensor& shift,
                                const at::Tensor& scale, const at::Tensor& camera,
                                at::ScalarType out_dtype, double eps) {
  const cuda::Normed out = cuda::ModulatedNorm(x, {shift, scale, camera}, out_dtype, eps);
  return {out.rows, out.stats};
}

// The gradient does not depend on the shift: any tensor of its shape may stand for it.
NormBackward ModulatedNormBackwardOnCuda(const at::Tensor& x, const at::Tensor& scale,
                                         const at::Tensor& stats, const at::Tensor& d_out) {
  const cuda::ModulatedNormGradients d =
      cuda::ModulatedNormBackward(d_out, x, {scale, scale, {}}, stats);
  return {d.d_x, d.modulation.d_shift, d.modulation.d_scale};
}

at::Tensor GatedAddOnCuda(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  return gate.defined() ? cuda::GatedAdd(x, y, gate) : GatedAddPlain(x, y, gate);
}

GatedAddBackward GatedAddBackwardOnCuda(const at::Tensor& y, const at::Tensor& gate,
                                        const at::Tensor& d_out) {
  if (!gate.defined()) return {d_out.to(y.scalar_type()), {}};
  const cuda::GatedAddGradients d = cuda::GatedAddBackward(d_out, y, gate);
  return {d.d_y, d.d_gate};
}

// One launch where the norm is of y's type, as in a block; else two.
GatedAddNormForward GatedAddNormOnCuda(const at::Tensor& x, const at::Tensor& y,
                                       const at::Tensor& gate, const at::Tensor& shift,
                                       const at::Tensor& scale, const at::Tensor& camera,
                                       at::ScalarType out_dtype, double eps) {
  if (out_dtype != y.scalar_type()) {
    const at::Tensor residual = GatedAddOnCuda(x, y, gate);
    const NormForward normed = ModulatedNormOnCuda(residual, shift, scale, camera, out_dtype, eps);
    return {residual, normed.out, normed.stats};
  }
  const cuda::GatedAddNormed out = cuda::GatedAddNorm(x, y, gate, {shift, scale, camera}, eps);
  return {out.residual, out.normed.rows, out.normed.stats};
}

NormRopeForward NormRopeOnCuda(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                               const at::Tensor& sin, int64_t num_heads, double eps) {
  const cuda::RopeOutput out = cuda::NormRope({{x, weight}}, {cos, sin, num_heads}, eps).front();
  return {out.rows, out.inv_rms};
}

NormRopeBackward NormRopeBackwardOnCuda(const at::Tensor& x, const at::Tensor& weight,
                                        const at::Tensor& cos, const at::Tensor& sin,
                                        const at::Tensor& inv_rms, int64_t num_heads,
                                        const at::Tensor& d_out) {
  const cuda::RopeGradients d =
      cuda::NormRopeBackward({{d_out, x, weight, inv_rms}}, {cos, sin, num_heads}).front();
  return {d.d_x, d.d_weight};
}

at::Tensor GeluTanhBackwardOnCuda(const at::Tensor& x, const at::Tensor& d_out) {
  return cuda::GeluTanhBackward(d_out, x);
}

ScaledRows ScaledModulatedNormOnCuda(const at::Tensor& x, const at::Tensor& shift,
                                     const at::Tensor& scale, const at::Tensor& camera,
                                     double eps) {
  return cuda::ScaledModulatedNorm(x, {shift, scale, camera}, eps);
}

ResidualAndScaledNorm ScaledGatedAddNormOnCuda(const at::Tensor& x, const at::Tensor& y,
                                               const at::Tensor& gate, const at::Tensor& shift,
                                               const at::Tensor& scale, const at::Tensor& camera,
                                               double eps) {
  return cuda::ScaledGatedAddNorm(x, y, gate, {shift, scale, camera}, eps);
}

}  // namespace

namespace cuda {
bool HasFittingRows(const at::Tensor& x) {
  return x.dim() > 0 && x.numel() > 0 && x.size(-1) % 8 == 0 && x.size(-1) <= kMaxWidth;
}
}  // namespace cuda

const RowBackend kCudaRows{.modulated_norm = ModulatedNormOnCuda,
                           .modulated_norm_backward = ModulatedNormBackwardOnCuda,
                           .gated_add = GatedAddOnCuda,
                           .gated_add_backward = GatedAddBackwardOnCuda,
                           .gated_add_norm = GatedAddNormOnCuda,
                           .norm_rope = NormRopeOnCuda,
                           .norm_rope_backward = NormRopeBackwardOnCuda,
                           .gelu_tanh = cuda::GeluTanh,
                           .gelu_tanh_backward = GeluTanhBackwardOnCuda,
                           .scaled_modulated_norm = ScaledModulatedNormOnCuda,
                           .scaled_gated_add_norm = ScaledGatedAddNormOnCuda,
                           .scaled_gelu_tanh = cuda::ScaledGeluTanh};

}  // namespace aim
