// One colour channel with blobs as networks draw them: off-centre, stretched, dim, clipped.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "aim/base/rng.h"
#include "codec/peaks.h"

namespace aim::testing {

struct Blob {
  Eigen::Vector2d uv;  // array index (column, row)
  double sigma_px = 0;
  double amplitude = 1;
  double stretch = 1;   // width along `turn_rad` over sigma_px; across it, sigma_px over width
  double turn_rad = 0;  // of the long axis, from the columns' direction
};

inline double ValueAt(const Blob& blob, double column, double row) {
  const double dx = column - blob.uv.x(), dy = row - blob.uv.y();
  const double cosine = std::cos(blob.turn_rad), sine = std::sin(blob.turn_rad);
  const double along = (cosine * dx + sine * dy) / blob.stretch;
  const double across = (cosine * dy - sine * dx) * blob.stretch;
  return blob.amplitude *
         std::exp(-0.5 * (along * along + across * across) / (blob.sigma_px * blob.sigma_px));
}

struct Channel {
  Channel(int w, int h, double level = 0)
      : width(w),
        height(h),
        pixels(static_cast<size_t>(w) * static_cast<size_t>(h), static_cast<float>(level)) {}

  Plane<float> plane() const { return {pixels.data(), width, 1, width, height, 1.0f}; }

  // Sets each pixel to function(value, column, row).
  template <class Function>
  void Change(const Function& function) {
    for (size_t i = 0; i < pixels.size(); ++i) {
      const int column = static_cast<int>(i) % width, row = static_cast<int>(i) / width;
      pixels[i] = static_cast<float>(function(static_cast<double>(pixels[i]), column, row));
    }
  }
  void Add(const Blob& blob) {
    Change([&](double value, int column, int row) { return value + ValueAt(blob, column, row); });
  }
  // The blob where it exceeds `pedestal`, else `background`: the published rule of B.
  void AddDisc(const Blob& blob, double pedestal, double background) {
    Change([&](double, int column, int row) {
      const double value = ValueAt(blob, column, row);
      return value > pedestal ? value : background;
    });
  }
  void AddNoise(double deviation, Rng& rng) {
    Change([&](double value, int, int) { return value + deviation * rng.Normal(); });
  }
  void ClipTo(double highest) {
    Change([&](double value, int, int) { return std::min(value, highest); });
  }

  int width;
  int height;
  std::vector<float> pixels;
};

}  // namespace aim::testing
