// Pictures as OpenCV sees them, without a copy.
#pragma once

#include <opencv2/core.hpp>

#include "aim/media/image.h"

namespace aim {

// [height, width] of 8-bit RGB. That of a const picture is only read.
inline cv::Mat MatOf(Image& image) {
  return {image.height, image.width, CV_8UC3, image.rgb.data()};
}
inline cv::Mat MatOf(const Image& image) {
  return {image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.rgb.data())};
}

}  // namespace aim
