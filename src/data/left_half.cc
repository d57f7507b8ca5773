#include "data/left_half.h"

#include <algorithm>
#include <string>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {

LeftHalf::LeftHalf(std::unique_ptr<FrameReader> both, const std::filesystem::path& path)
    : both_(std::move(both)), info_(both_->info()) {
  VideoFormat& format = info_.format;
  if (format.width % 2 != 0) {
    throw InputError({.where = path.string(),
                      .got = SizeText(format.width, format.height),
                      .expected = "two pictures of one width side by side",
                      .fix = "copy it again"});
  }
  format.width /= 2;
  left_.resize(static_cast<size_t>(format.width) * static_cast<size_t>(format.height) * 3);
}

void LeftHalf::VisitFrames(int begin, int end, int stride, const Visit& visit) {
  const auto row_bytes = static_cast<std::ptrdiff_t>(info_.format.width) * 3;
  both_->VisitFrames(begin, end, stride, [&](int frame, std::span<const uint8_t> rgb) {
    auto target = left_.begin();
    for (int row = 0; row < info_.format.height; ++row) {
      target = std::copy_n(rgb.begin() + 2 * row * row_bytes, row_bytes, target);
    }
    visit(frame, left_);
  });
}

}  // namespace aim
