// Convolutions of 3 x 3 pixels by Winograd's F(2x2, 3x3): matrix products with 16 multiplications
// where the definition has 36, for float32 on a CPU. Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2016. Channels are the last axis of every tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace aim {

// [O, I, K, 3, 3] -> [9, K * I, O] contiguous, what the functions below take.
at::Tensor WinogradTaps(const at::Tensor& weight);

// Convolution over K frames and 3 x 3 pixels, stride 1; one pixel of zeros around each frame and
// none before the first.
//
//   x        [B, T + K - 1, H, W, I]  float32, contiguous
//   taps     [9, K * I, O]
//   bias     [O]
//   returns  [B, T, H, W, O]
at::Tensor WinogradConv(const at::Tensor& x, const at::Tensor& taps, const at::Tensor& bias);

// Each pixel doubled in both directions, then 3 x 3 convolved, without making the larger picture:
// 9 multiplications where the definition has 36. x [B, T, H, W, I] -> [B, T, 2 H, 2 W, O].
at::Tensor WinogradUpsampleConv(const at::Tensor& x, const at::Tensor& taps,
                                const at::Tensor& bias);

// Bytes of scratch that either takes besides its result; `num_tiles` = pixels of a frame / 4.
int64_t WinogradScratchBytes(int64_t in, int64_t out, int64_t kernel_frames, int64_t num_frames,
                             int64_t num_tiles);

}  // namespace aim
