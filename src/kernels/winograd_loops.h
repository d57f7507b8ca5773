// Inner loops of Winograd's F(2x2, 3x3), over the channels of one tile; compiled for several
// instruction sets. Rows of pixels and of components are contiguous in channels.
#pragma once

#include <cstdint>

namespace aim::rows {

// B^T d B of a tile of 4 x 4 pixels: out[k * stride + c], k in [0, 16).
void WinogradInput(const float* const pixels[16], float* out, int64_t stride, int64_t channels);

// The same of the tile that 3 x 3 pixels become when each is doubled in both directions. 7 of the
// 16 components vanish; the other 9 are written.
void WinogradInputDoubled(const float* const pixels[9], float* out, int64_t stride,
                          int64_t channels);

// A^T m A + bias, to 2 x 2 pixels.
void WinogradOutput(const float* in, int64_t stride, const float* bias, float* const pixels[4],
                    int64_t channels);
void WinogradOutputDoubled(const float* in, int64_t stride, const float* bias,
                           float* const pixels[4], int64_t channels);

}  // namespace aim::rows
