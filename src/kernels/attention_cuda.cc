#include "kernels/attention_cuda.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/transformers/cuda/sdp_utils.h>

namespace aim {
namespace {

// Lengths that fill its tiles, or a cuDNN that masks the rest rightly: 9.15.1 and newer
// (pytorch/pytorch issue 169849).
bool CudnnMasksRightly(const at::Tensor& query, const at::Tensor& key) {
  constexpr long kFirstRight = 91501;
  constexpr int64_t kTile = 128;
  if (query.size(2) % kTile == 0 && key.size(2) % kTile == 0) return true;
  return at::detail::getCUDAHooks().versionRuntimeCuDNN() >= kFirstRight;
}

}  // namespace

std::optional<at::Tensor> AttendByName(const at::Tensor& query, const at::Tensor& key,
                                       const at::Tensor& value) {
  const sdp::sdp_params params{query, key, value, std::nullopt, 0.0, false, false};
  // ATen pads other widths before it chooses.
  if (sdp::input_requires_grad(params) || query.size(3) % 8 != 0) return std::nullopt;
  if (CudnnMasksRightly(query, key) && sdp::can_use_cudnn_attention(params, /*debug=*/false)) {
    return std::get<0>(at::_scaled_dot_product_cudnn_attention(query, key, value, std::nullopt,
                                                               /*compute_log_sumexp=*/false));
  }
  if (sdp::can_use_flash_attention(params, /*debug=*/false))
    return std::get<0>(at::_scaled_dot_product_flash_attention(query, key, value));
  if (sdp::can_use_mem_efficient_attention(params, /*debug=*/false)) {
    return std::get<0>(at::_scaled_dot_product_efficient_attention(query, key, value, std::nullopt,
                                                                   /*compute_log_sumexp=*/false));
  }
  return std::nullopt;
}

}  // namespace aim
