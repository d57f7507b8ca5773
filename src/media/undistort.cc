#include "aim/media/undistort.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "aim/base/error.h"

namespace aim {
namespace {

constexpr float kNowhere = -2;  // no picture reaches there

size_t CountPixels(const Camera& camera) {
  AIM_CHECK(camera.width > 0 && camera.height > 0);
  return static_cast<size_t>(camera.width) * static_cast<size_t>(camera.height);
}

}  // namespace

Undistorter::Undistorter(const Camera& camera, const Lens& lens)
    : width_(camera.width),
      height_(camera.height),
      columns_(CountPixels(camera), kNowhere),
      rows_(columns_.size(), kNowhere) {
  const double fold = FoldRadius(lens);
  size_t num_blank = 0;
  size_t pixel = 0;
  for (int row = 0; row < height_; ++row) {
    for (int column = 0; column < width_; ++column, ++pixel) {
      const Eigen::Vector2d direction((column + 0.5 - camera.cx) / camera.fx,
                                      (row + 0.5 - camera.cy) / camera.fy);
      const Eigen::Vector2d bent = Distort(lens, direction);
      const double u = camera.fx * bent.x() + camera.cx;
      const double v = camera.fy * bent.y() + camera.cy;
      const bool is_seen =
          direction.norm() <= fold && u >= 0 && v >= 0 && u <= width_ && v <= height_;
      if (!is_seen) {
        ++num_blank;
        continue;
      }
      columns_[pixel] = static_cast<float>(u - 0.5);
      rows_[pixel] = static_cast<float>(v - 0.5);
    }
  }
  blank_fraction_ = static_cast<double>(num_blank) / static_cast<double>(pixel);
}

Image Undistorter::operator()(std::span<const uint8_t> rgb) const {
  AIM_CHECK(rgb.size() == 3 * columns_.size());
  const auto mat = [&](int type, const void* data) {
    return cv::Mat(height_, width_, type, const_cast<void*>(data));  // remap only reads it
  };
  // Half a pixel beyond the outermost centres still shows their colour.
  cv::Mat bordered;
  cv::copyMakeBorder(mat(CV_8UC3, rgb.data()), bordered, 1, 1, 1, 1, cv::BORDER_REPLICATE);
  const cv::Scalar one(1);
  Image image(width_, height_);
  cv::Mat out = mat(CV_8UC3, image.rgb.data());
  cv::remap(bordered, out, mat(CV_32FC1, columns_.data()) + one, mat(CV_32FC1, rows_.data()) + one,
            cv::INTER_LINEAR, cv::BORDER_CONSTANT);
  return image;
}

}  // namespace aim
