// How alike two pictures are, by their pixels: decibels and structural similarity.
#pragma once

#include <cstdint>
#include <span>

namespace aim {

// Peak signal-to-noise ratio of two pictures of one size, dB, over all pixels and channels;
// infinity where they are equal.
double PicturePsnrDb(std::span<const uint8_t> first, std::span<const uint8_t> second);

// The window of the structural similarity: a picture must hold it.
inline constexpr int kSsimWindowPx = 11;

// Mean structural similarity of two RGB pictures [height, width, 3], at most 1: Gaussian window of
// 11 x 11 pixels and sigma 1.5, population covariances, K1 = 0.01, K2 = 0.03, over the channels and
// the places where the window lies wholly inside. Wang et al., IEEE Transactions on Image
// Processing 13 (2004), 600.
double Ssim(std::span<const uint8_t> first, std::span<const uint8_t> second, int width, int height);

}  // namespace aim
