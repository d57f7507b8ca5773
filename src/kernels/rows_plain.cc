#include "aim/kernels/rows_plain.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <numeric>

namespace aim {
namespace {

// [B, N, D] as [B, G, N / G, D]: the tokens of each of G equal runs.
at::Tensor Runs(const at::Tensor& x, int64_t num_runs) {
  return x.reshape({x.size(0), num_runs, x.size(1) / num_runs, x.size(2)});
}

// a + b * c of any mix of floating types, computed in the widest and rounded once. Without
// gradients a single pass on a GPU: nothing is stored in between.
at::Tensor MultiplyAddTo(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c,
                         at::ScalarType dtype) {
  if (c10::GradMode::is_enabled()) return at::addcmul(a, b, c).to(dtype);
  at::Tensor out = at::empty(b.sizes(), b.options().dtype(dtype));
  return at::addcmul_out(out, a, b, c);
}

}  // namespace

at::Tensor ModulatedNormPlain(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                              const at::Tensor& camera, at::ScalarType out_dtype, double eps) {
  const at::Tensor norm = at::layer_norm(x.to(at::kFloat), {x.size(2)}, {}, {}, eps);
  const int64_t runs = camera.defined() ? std::lcm(shift.size(1), camera.size(1)) : shift.size(1);
  // [B, G, D] -> [B, runs, 1, D]
  const auto for_runs = [&](const at::Tensor& rows) {
    return rows.repeat_interleave(runs / rows.size(1), 1).unsqueeze(2);
  };
  const at::Tensor addend =
      camera.defined() ? for_runs(shift) + for_runs(camera.to(at::kFloat)) : for_runs(shift);
  return MultiplyAddTo(addend, Runs(norm, runs), for_runs(1 + scale), out_dtype).view(x.sizes());
}

at::Tensor GatedAddPlain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  if (!gate.defined()) return (x + y).to(x.scalar_type());
  const int64_t runs = gate.size(1);
  return MultiplyAddTo(Runs(x, runs), Runs(y, runs), gate.unsqueeze(2), x.scalar_type())
      .view(x.sizes());
}

ResidualAndNorm GatedAddNormPlain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate,
                                  const at::Tensor& shift, const at::Tensor& scale,
                                  const at::Tensor& camera, at::ScalarType out_dtype, double eps) {
  ResidualAndNorm result;
  result.residual = GatedAddPlain(x, y, gate);
  result.normed = ModulatedNormPlain(result.residual, shift, scale, camera, out_dtype, eps);
  return result;
}

at::Tensor NormRopePlain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                         const at::Tensor& sin, int64_t num_heads, double eps) {
  const at::Tensor norm = at::rms_norm(x.to(at::kFloat), {x.size(2)}, weight.to(at::kFloat), eps);
  if (!cos.defined()) return norm.to(x.scalar_type());
  return RotatePairs(norm, cos, sin, num_heads).to(x.scalar_type());
}

at::Tensor RotatePairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
                       int64_t num_heads) {
  const at::Tensor pairs = at::view_as_complex(x.view({x.size(0), x.size(1), num_heads, -1, 2}));
  return at::view_as_real(pairs * at::complex(cos, sin).unsqueeze(1)).view(x.sizes());
}

at::Tensor GeluTanhPlain(const at::Tensor& x) { return at::gelu(x, "tanh"); }

}  // namespace aim
