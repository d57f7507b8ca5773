#include "aim/media/blend.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "aim/base/error.h"

namespace aim {
namespace {

uint8_t ToByte(double value) {
  return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

}  // namespace

Image BlendActionImage(const Image& image, std::span<const float> action, double strength,
                       double pedestal) {
  const size_t num_pixels = image.rgb.size() / 3;
  AIM_CHECK(action.size() == num_pixels * 3);
  Image result = image;
  for (size_t pixel = 0; pixel < num_pixels; ++pixel) {
    std::array<double, 3> value;
    for (size_t c = 0; c < 3; ++c) {
      value[c] = std::clamp<double>(action[c * num_pixels + pixel], 0.0, 1.0);
    }
    value[2] = std::max(0.0, (value[2] - pedestal) / (1.0 - pedestal));
    const double cover = strength * std::max({value[0], value[1], value[2]});
    for (size_t c = 0; c < 3; ++c) {
      uint8_t& out = result.rgb[pixel * 3 + c];
      out = ToByte((1.0 - cover) * out + strength * 255.0 * value[c]);
    }
  }
  return result;
}

Image ActionImageToImage(std::span<const float> action, int width, int height) {
  Image image(width, height);
  const size_t num_pixels = image.rgb.size() / 3;
  AIM_CHECK(action.size() == num_pixels * 3);
  for (size_t pixel = 0; pixel < num_pixels; ++pixel) {
    for (size_t c = 0; c < 3; ++c) {
      image.rgb[pixel * 3 + c] = ToByte(255.0 * action[c * num_pixels + pixel]);
    }
  }
  return image;
}

}  // namespace aim
