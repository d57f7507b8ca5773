// A picture of which one knows where what it shows is.
#pragma once

#include <Eigen/Core>
#include <cmath>

#include "aim/media/image.h"

namespace aim::testing {

// A bright disc on black, centred at edge coordinates (u, v).
inline Image DiscImage(int width, int height, double u, double v, double radius) {
  Image image(width, height);
  for (int row = 0; row < height; ++row) {
    for (int col = 0; col < width; ++col) {
      const double distance = std::hypot(col + 0.5 - u, row + 0.5 - v);
      const auto pixel = static_cast<size_t>(row * width + col) * 3;
      if (distance <= radius) image.rgb[pixel] = image.rgb[pixel + 1] = 255;
    }
  }
  return image;
}

// Edge coordinates of the centre of mass of the red channel.
inline Eigen::Vector2d Centre(const Image& image) {
  Eigen::Vector2d sum(0, 0);
  double mass = 0;
  for (int row = 0; row < image.height; ++row) {
    for (int col = 0; col < image.width; ++col) {
      const double value = image.rgb[static_cast<size_t>(row * image.width + col) * 3];
      sum += value * Eigen::Vector2d(col + 0.5, row + 0.5);
      mass += value;
    }
  }
  return sum / mass;
}

}  // namespace aim::testing
