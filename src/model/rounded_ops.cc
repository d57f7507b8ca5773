#include "rounded_ops.h"

#include <ATen/ATen.h>

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
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor norm =
      (wide * at::rsqrt(wide.square().mean(-1, true) + eps)).to(x.scalar_type()) * weight;
  if (!cos.defined()) return norm;
  const at::Tensor pairs = norm.to(at::kFloat).view({x.size(0), x.size(1), num_heads, -1, 2});
  const at::Tensor re = pairs.select(-1, 0), im = pairs.select(-1, 1);
  const at::Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1);
  return at::stack({re * c - im * s, re * s + im * c}, -1).view(x.sizes()).to(x.scalar_type());
}

}  // namespace aim::rounded
