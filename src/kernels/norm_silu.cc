#include "aim/kernels/norm_silu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "kernels/row_loops.h"
#ifdef AIM_HAS_CUDA_KERNELS
#include "kernels/norm_silu_cuda.h"
#endif

namespace aim {
namespace {

bool RowsRunHere(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

}  // namespace

at::Tensor ChannelNorm(const at::Tensor& x, const at::Tensor& gamma) {
  const bool narrow = x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
  const at::Tensor wide = narrow ? x.to(at::kFloat) : x;
  const at::Tensor norm = wide.norm(2, {-1}, /*keepdim=*/true).clamp_min(1e-12);
  const double root = std::sqrt(static_cast<double>(x.size(-1)));
  return (wide / norm).to(x.scalar_type()).mul_(root).mul_(gamma);
}

at::Tensor NormSiluPlain(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& gamma) {
  at::Tensor y = ChannelNorm(bias.defined() ? x + bias : x, gamma);
  return at::silu_(y);
}

void NormSiluInto(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& gamma,
                  const at::Tensor& out) {
#ifdef AIM_HAS_CUDA_KERNELS
  if (x.is_cuda() && cuda::HasFittingChannels(x)) {
    cuda::NormSiluInto(x.contiguous(), bias, gamma, out);
    return;
  }
#endif
  if (!RowsRunHere(x) || bias.defined()) {
    out.copy_(NormSiluPlain(x, bias, gamma));
    return;
  }
  const int64_t channels = x.size(-1);
  const float root = std::sqrt(static_cast<float>(channels));
  const float* const weight = gamma.const_data_ptr<float>();
  for (int64_t item = 0; item < x.size(0); ++item) {
    const float* const from = x[item].const_data_ptr<float>();
    float* const to = out[item].data_ptr<float>();
    at::parallel_for(0, x[item].numel() / channels, std::max<int64_t>(1, 16384 / channels),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t row = begin; row < end; ++row) {
                         rows::NormSilu(from + row * channels, weight, root, to + row * channels,
                                        channels);
                       }
                     });
  }
}

}  // namespace aim
