#include "aim/media/filmstrip.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"

namespace aim {

std::set<int> SpreadFrames(int num_frames, int count) {
  AIM_CHECK(num_frames > 0 && count >= 2);
  std::set<int> frames;
  for (int i = 0; i < count; ++i) {
    frames.insert(static_cast<int>(std::lround((num_frames - 1.0) * i / (count - 1.0))));
  }
  return frames;
}

Image Filmstrip(std::span<const Image> images, int gap_px) {
  AIM_CHECK(!images.empty() && gap_px >= 0);
  int width = gap_px * static_cast<int>(images.size() - 1);
  for (const Image& image : images) {
    AIM_CHECK(image.height == images[0].height);
    width += image.width;
  }
  Image strip(width, images[0].height);
  std::fill(strip.rgb.begin(), strip.rgb.end(), uint8_t{255});
  int x = 0;
  for (const Image& image : images) {
    for (int row = 0; row < image.height; ++row) {
      std::copy_n(image.rgb.begin() + static_cast<ptrdiff_t>(row) * image.width * 3,
                  image.width * 3,
                  strip.rgb.begin() + (static_cast<ptrdiff_t>(row) * width + x) * 3);
    }
    x += image.width + gap_px;
  }
  return strip;
}

Image StackImages(std::span<const Image> images, int gap_px) {
  AIM_CHECK(!images.empty() && gap_px >= 0);
  int width = 0;
  int height = gap_px * static_cast<int>(images.size() - 1);
  for (const Image& image : images) {
    width = std::max(width, image.width);
    height += image.height;
  }
  Image stack(width, height);
  std::fill(stack.rgb.begin(), stack.rgb.end(), uint8_t{255});
  int y = 0;
  for (const Image& image : images) {
    for (int row = 0; row < image.height; ++row) {
      std::copy_n(image.rgb.begin() + static_cast<ptrdiff_t>(row) * image.width * 3,
                  image.width * 3, stack.rgb.begin() + static_cast<ptrdiff_t>(y + row) * width * 3);
    }
    y += image.height + gap_px;
  }
  return stack;
}

}  // namespace aim
