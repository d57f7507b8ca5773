#include "aim/kernels/scaled_product.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "kernels/e4m3.h"
#ifdef AIM_HAS_CUDA_KERNELS
#include "kernels/rows_cuda.h"
#endif

namespace aim {

bool HasScaledUnits([[maybe_unused]] c10::Device device) {
#ifdef AIM_HAS_CUDA_KERNELS
  return device.is_cuda() && cuda::ComputeCapability(device) >= 89;
#else
  return false;
#endif
}

ScaledRows QuantiseRows(const at::Tensor& x) {
  AIM_CHECK(x.dim() > 0 && x.is_contiguous());
  AIM_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
#ifdef AIM_HAS_CUDA_KERNELS
  if (x.is_cuda() && cuda::HasFittingRows(x)) return cuda::QuantiseRows(x);
#endif
  const at::Tensor rows = x.to(at::kFloat);
  const at::Tensor largest =
      x.size(-1) == 0 ? at::full_like(rows.sum(-1, /*keepdim=*/true), kSmallestE4m3Row)
                      : rows.abs().amax(-1, /*keepdim=*/true).clamp_min_(kSmallestE4m3Row);
  // clamp lets NaN through; a quotient just above the largest number would become NaN.
  const at::Tensor values =
      (rows * largest.reciprocal().mul_(kLargestE4m3)).clamp_(-kLargestE4m3, kLargestE4m3);
  return {values.to(at::kFloat8_e4m3fn), (largest / kLargestE4m3).squeeze(-1)};
}

at::Tensor Dequantise(const ScaledRows& rows) {
  return rows.values.to(at::kFloat) * rows.scale.unsqueeze(-1);
}

at::Tensor ScaledProduct(const ScaledRows& x, const ScaledRows& weight, const at::Tensor& bias) {
  const at::Tensor values = x.values.flatten(0, -2);
  const int64_t outputs = weight.values.size(0), inputs = weight.values.size(1);
  AIM_CHECK(values.size(1) == inputs && x.scale.numel() == values.size(0));
  AIM_CHECK(weight.scale.numel() == outputs && bias.numel() == outputs);
  AIM_CHECK(bias.scalar_type() == at::kBFloat16);
  AIM_CHECK(inputs % kScaledMultiple == 0 && outputs % kScaledMultiple == 0);
  std::vector<int64_t> shape = x.values.sizes().vec();
  shape.back() = outputs;
  if (HasScaledUnits(values.device())) {
    return at::_scaled_mm(values, weight.values.t(), x.scale.reshape({-1, 1}),
                          weight.scale.reshape({1, -1}), bias, /*scale_result=*/std::nullopt,
                          at::kBFloat16, /*use_fast_accum=*/true)
        .view(shape);
  }
  at::Tensor sums = at::mm(values.to(at::kFloat), weight.values.to(at::kFloat).t());
  sums.mul_(x.scale.reshape({-1, 1})).mul_(weight.scale.reshape({1, -1}));
  return sums.add_(bias).to(at::kBFloat16).view(shape);
}

}  // namespace aim
