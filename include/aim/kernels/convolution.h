// Convolutions of the video autoencoder over 3 x 3 pixels, stride 1, channels last: weights are
// prepared once for the device and type they lie in, and the form that is fastest there is taken.
// Winograd's for float32 on a CPU from 32 channels on, ATen's elsewhere; they differ by rounding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace aim {

struct ConvWeights {
  at::Tensor weight;  // in the form that the functions below read
  at::Tensor bias;    // [O]
  bool is_winograd = false;

  // What CausalConv leaves to the pass behind it: ATen's convolutions would add it in a pass of
  // their own. Undefined for Winograd's, which has it.
  at::Tensor OpenBias() const { return is_winograd ? at::Tensor() : bias; }
};

// weight [O, I, 3, 3] or [O, I, K, 3, 3].
ConvWeights PrepareConv(const at::Tensor& weight, const at::Tensor& bias);

// Over K frames and 3 x 3 pixels; one pixel of zeros around each frame and none before the first.
// Without conv.OpenBias().
//   x  [B, T + K - 1, H, W, I], contiguous  ->  [B, T, H, W, O]
at::Tensor CausalConv(const at::Tensor& x, const ConvWeights& conv);

// `result` of CausalConv += conv.OpenBias() + other, in one pass where there is a kernel for that.
void AddTo(const at::Tensor& result, const ConvWeights& conv, const at::Tensor& other);

// Each pixel doubled in both directions, then 3 x 3 convolved.
//   x  [B, T, H, W, I]  ->  [B, T, 2 H, 2 W, O];  weight [O, I, 3, 3]
at::Tensor UpsampleConv(const at::Tensor& x, const ConvWeights& conv);

// Bytes of scratch that either takes at most besides its result; `num_tiles` = pixels of a frame of
// the result / 4.
int64_t ConvScratchBytes(int64_t in, int64_t out, int64_t kernel_frames, int64_t num_frames,
                         int64_t num_tiles);

}  // namespace aim
