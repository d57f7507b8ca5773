#include "aim/kernels/convolution.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/winograd.h"
#ifdef AIM_HAS_CUDA_KERNELS
#include "kernels/norm_silu_cuda.h"
#endif

namespace aim {
namespace {

// Below this many channels the transforms of Winograd cost more than they save.
constexpr int64_t kMinWinogradChannels = 32;

bool FitsWinograd(const at::Tensor& weight) {
  return weight.is_cpu() && weight.scalar_type() == at::kFloat &&
         std::min(weight.size(0), weight.size(1)) >= kMinWinogradChannels;
}

}  // namespace

ConvWeights PrepareConv(const at::Tensor& weight, const at::Tensor& bias) {
  const bool is_flat = weight.dim() == 4;
  if (FitsWinograd(weight)) {
    return {WinogradTaps(is_flat ? weight.unsqueeze(2) : weight), bias, /*is_winograd=*/true};
  }
  return {weight.contiguous(is_flat ? at::MemoryFormat::ChannelsLast
                                    : at::MemoryFormat::ChannelsLast3d),
          bias};
}

at::Tensor CausalConv(const at::Tensor& x, const ConvWeights& conv) {
  if (conv.is_winograd) return WinogradConv(x, conv.weight, conv.bias);
  return at::conv3d(x.permute({0, 4, 1, 2, 3}), conv.weight, /*bias=*/{}, 1,
                    at::IntArrayRef({0, 1, 1}))
      .permute({0, 2, 3, 4, 1})
      .contiguous();
}

void AddTo(const at::Tensor& result, const ConvWeights& conv, const at::Tensor& other) {
  const at::Tensor bias = conv.OpenBias();
#ifdef AIM_HAS_CUDA_KERNELS
  if (bias.defined() && result.is_cuda() && cuda::HasFittingChannels(result)) {
    cuda::AddWithBias(result, bias, other.contiguous());
    return;
  }
#endif
  if (bias.defined()) result.add_(bias);
  result.add_(other);
}

at::Tensor UpsampleConv(const at::Tensor& x, const ConvWeights& conv) {
  if (conv.is_winograd) return WinogradUpsampleConv(x, conv.weight, conv.bias);
  const at::Tensor pictures = x.flatten(0, 1).permute({0, 3, 1, 2});
  const at::Tensor larger =
      at::upsample_nearest2d(pictures, {2 * x.size(2), 2 * x.size(3)}, 2.0, 2.0);
  return at::conv2d(larger, conv.weight, conv.bias, 1, 1)
      .permute({0, 2, 3, 1})
      .contiguous()
      .view({x.size(0), x.size(1), 2 * x.size(2), 2 * x.size(3), -1});
}

int64_t ConvScratchBytes(int64_t in, int64_t out, int64_t kernel_frames, int64_t num_frames,
                         int64_t num_tiles) {
  return WinogradScratchBytes(in, out, kernel_frames, num_frames, num_tiles);
}

}  // namespace aim
