// The shortcuts around the stages of Wan 2.2's autoencoder: no weights. Frames are [B, T, H, W, C].
// docs/reference/wan22.md 3.3.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace aim {

// Cells of frames x rows x columns become channels, cell index fastest, and runs of them are
// averaged to `out` channels. An odd number of frames gets one of zeros in front where
// `frames` = 2.
at::Tensor AverageCells(const at::Tensor& x, int64_t out, int64_t frames, int64_t pixels);

// The inverse in shape, twice the pixels: channels repeated and spread over the cells, added to
// `sum`. With `first` and `frames` = 2 the first frame of `x` makes one frame, the second of its
// cell.
void AddRepeated(const at::Tensor& x, int64_t frames, bool first, const at::Tensor& sum);

}  // namespace aim
