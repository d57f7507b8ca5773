#include "aim/media/resize.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "media/image_mat.h"

namespace aim {
namespace {

// Shrinks first (area mean), then grows (linear): OpenCV's area mode is not the mean over the
// covered area when one side grows.
Image ResizeMat(const cv::Mat& rgb, int width, int height) {
  cv::Mat shrunk = rgb;
  const cv::Size small(std::min(width, rgb.cols), std::min(height, rgb.rows));
  if (small != rgb.size()) cv::resize(rgb, shrunk, small, 0, 0, cv::INTER_AREA);
  Image result(width, height);
  cv::Mat out = MatOf(result);
  if (shrunk.size() == out.size()) {
    shrunk.copyTo(out);
  } else {
    cv::resize(shrunk, out, out.size(), 0, 0, cv::INTER_LINEAR);
  }
  return result;
}

void CheckSize(int width, int height) {
  AIM_CHECK(width > 0 && height > 0 && width <= 16384 && height <= 16384);
}

// The largest with the aspect of the new size.
cv::Rect CentredWindow(int width, int height, int new_width, int new_height) {
  const double aspect = static_cast<double>(new_width) / new_height;
  const int w = std::clamp(static_cast<int>(std::lround(height * aspect)), 1, width);
  const int h = std::clamp(static_cast<int>(std::lround(width / aspect)), 1, height);
  return {(width - w) / 2, (height - h) / 2, w, h};
}

}  // namespace

void RequirePictureSize(const Camera& camera, const Image& image) {
  if (camera.width == image.width && camera.height == image.height) return;
  throw InputError({.where = "camera",
                    .got = "of " + SizeText(camera.width, camera.height),
                    .expected = "the picture's " + SizeText(image.width, image.height),
                    .fix = "scale the intrinsics to the picture"});
}

Image ResizeImage(const Image& image, int width, int height) {
  CheckSize(width, height);
  CheckSize(image.width, image.height);
  return ResizeMat(MatOf(image), width, height);
}

Image CropAndResizeImage(const Image& image, int width, int height) {
  CheckSize(width, height);
  CheckSize(image.width, image.height);
  const cv::Mat window = MatOf(image)(CentredWindow(image.width, image.height, width, height));
  return ResizeMat(window, width, height);
}

CameraImage CropAndResizeImage(const Image& image, const Camera& camera, int width, int height) {
  RequirePictureSize(camera, image);
  return {CropAndResizeImage(image, width, height), FitCamera(camera, width, height)};
}

Camera FitCamera(const Camera& camera, int width, int height) {
  const cv::Rect window = CentredWindow(camera.width, camera.height, width, height);
  return CropAndResize(camera, window.x, window.y, window.width, window.height, width, height);
}

}  // namespace aim
