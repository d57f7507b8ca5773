#include "aim/media/preview.h"

#include <algorithm>

#include "aim/base/error.h"

namespace aim {
namespace {

constexpr int kLeastSidePx = 256;
constexpr int kMostSidePx = 4096;  // of a long narrow picture
constexpr VideoOptions kGoodVideo{.crf = 8};

int ScaleOf(int width, int height) {
  const int wanted = (kLeastSidePx - 1) / std::min(width, height) + 1;
  return std::max(1, std::min(wanted, kMostSidePx / std::max(width, height)));
}

VideoFormat Enlarged(const VideoFormat& format) {
  const int scale = ScaleOf(std::max(1, format.width), std::max(1, format.height));
  return {format.width * scale, format.height * scale, format.fps};
}

}  // namespace

std::filesystem::path PreviewPath(const std::filesystem::path& video) {
  return video.parent_path() / (video.stem().string() + "_preview.mp4");
}

Image EnlargePixels(const Image& image) {
  AIM_CHECK(image.width > 0 && image.height > 0);
  const int scale = ScaleOf(image.width, image.height);
  if (scale == 1) return image;
  Image large(image.width * scale, image.height * scale);
  for (int row = 0; row < large.height; ++row) {
    const uint8_t* line = image.rgb.data() + static_cast<ptrdiff_t>(row / scale) * image.width * 3;
    uint8_t* out = large.rgb.data() + static_cast<ptrdiff_t>(row) * large.width * 3;
    for (int col = 0; col < large.width; ++col) {
      std::copy_n(line + static_cast<ptrdiff_t>(col / scale) * 3, 3,
                  out + static_cast<ptrdiff_t>(col) * 3);
    }
  }
  return large;
}

PreviewedVideoWriter::PreviewedVideoWriter(const std::filesystem::path& path,
                                           const VideoFormat& format)
    : lossless_(path, format, {.lossless = true}),
      preview_(PreviewPath(path), Enlarged(format), kGoodVideo) {}

void PreviewedVideoWriter::Append(const Image& image) {
  lossless_.Append(image);
  preview_.Append(EnlargePixels(image));
}

void PreviewedVideoWriter::Finish() {
  lossless_.Finish();
  preview_.Finish();
}

}  // namespace aim
