#include "aim/kernels/rounded_ops.h"

#include <ATen/ATen.h>

#include "aim/kernels/rows_plain.h"

namespace aim::rounded {
namespace {

// [B, N, D] as [B, G, N / G, D]
at::Tensor Runs(const at::Tensor& x, int64_t num_runs) {
  return x.reshape({x.size(0), num_runs, x.size(1) / num_runs, x.size(2)});
}

}  // namespace

at::Tensor ModulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& camera, double eps) {
  const at::Tensor norm = at::layer_norm(x, {x.size(2)}, {}, {}, eps);
  const at::Tensor scaled = Runs(norm, scale.size(1)) * (1 + scale).unsqueeze(2);
  const at::Tensor out = (scaled + shift.unsqueeze(2)).view(x.sizes());
  if (!camera.defined()) return out;
  return (Runs(out, camera.size(1)) + camera.unsqueeze(2)).view(x.sizes());
}

at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  return x + (Runs(y, gate.size(1)) * gate.unsqueeze(2)).view(x.sizes());
}

at::Tensor NormRope(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                    const at::Tensor& sin, int64_t num_heads, double eps) {
  const at::ScalarType dtype = x.scalar_type();
  const at::Tensor norm = at::rms_norm(x.to(at::kFloat), {x.size(2)}, {}, eps).to(dtype) * weight;
  return cos.defined() ? RotatePairs(norm.to(at::kFloat), cos, sin, num_heads).to(dtype) : norm;
}

}  // namespace aim::rounded
