#include "media/frame_pixels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "aim/base/error.h"
#include "media/planar_yuv.h"

namespace aim {
namespace {

void CopyTurned(const AVFrame& frame, const PictureTurn& turn, uint8_t* rgb) {
  const int out_width = turn.transposed ? frame.height : frame.width;
  const int out_height = turn.transposed ? frame.width : frame.height;
  for (int row = 0; row < frame.height; ++row) {
    const uint8_t* line = frame.data[0] + static_cast<ptrdiff_t>(row) * frame.linesize[0];
    if (turn == PictureTurn{}) {
      std::copy_n(line, frame.width * 3, rgb + static_cast<ptrdiff_t>(row) * frame.width * 3);
      continue;
    }
    for (int col = 0; col < frame.width; ++col) {
      const int x = turn.transposed ? row : col;
      const int y = turn.transposed ? col : row;
      const int out_x = turn.flip_x ? out_width - 1 - x : x;
      const int out_y = turn.flip_y ? out_height - 1 - y : y;
      std::copy_n(line + static_cast<ptrdiff_t>(col) * 3, 3,
                  rgb + (static_cast<ptrdiff_t>(out_y) * out_width + out_x) * 3);
    }
  }
}

}  // namespace

// Row vectors: x' = a x + c y, y' = b x + d y with a, b = matrix[0], [1] and c, d = matrix[3], [4].
bool TurnFromMatrix(const int32_t* matrix, PictureTurn& turn) {
  turn = {};
  if (matrix == nullptr) return true;
  const double a = matrix[0];
  const double b = matrix[1];
  const double c = matrix[3];
  const double d = matrix[4];
  const double straight = std::abs(a) + std::abs(d);
  const double crossed = std::abs(b) + std::abs(c);
  if (straight + crossed == 0) return true;  // not filled in
  constexpr double kOneDegree = 0.0175;
  if (std::min(straight, crossed) > kOneDegree * std::max(straight, crossed)) return false;
  turn.transposed = crossed > straight;
  turn.flip_x = (turn.transposed ? c : a) < 0;
  turn.flip_y = (turn.transposed ? b : d) < 0;
  return true;
}

FramePixels::FramePixels() = default;
FramePixels::~FramePixels() = default;

std::string FramePixels::Open(const AVFrame& frame) {
  format_ = frame.format;
  converted_.reset(av_frame_alloc());
  AIM_CHECK(converted_ != nullptr);
  converted_->format = AV_PIX_FMT_RGB24;
  converted_->width = frame.width;
  converted_->height = frame.height;
  if (av_frame_get_buffer(converted_.get(), 0) < 0) return "too large for the memory";
  if (PlanarYuv::Takes(frame)) {
    yuv_ = std::make_unique<PlanarYuv>(frame);
    return "";
  }
  scaler_.reset(sws_getContext(frame.width, frame.height, static_cast<AVPixelFormat>(frame.format),
                               frame.width, frame.height, AV_PIX_FMT_RGB24,
                               SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr,
                               nullptr, nullptr));
  if (scaler_ == nullptr) return "a video of an unknown pixel format";
  // swscale numbers the matrices as the streams do. What is untagged is read as BT.601, as OpenCV
  // and libav's own tools do.
  sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(frame.colorspace),
                           HasFullRange(frame) ? 1 : 0, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0,
                           1 << 16, 1 << 16);
  return "";
}

bool FramePixels::Scale(const AVFrame& frame) {
  return sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, converted_->data,
                   converted_->linesize) == frame.height;
}

std::string FramePixels::Convert(const AVFrame& frame, const PictureTurn& turn, uint8_t* rgb) {
  if (converted_ == nullptr) {
    const std::string problem = Open(frame);
    if (!problem.empty()) return problem;
  }
  if (frame.format != format_) return "a video whose pixel format changes";
  const bool is_converted =
      yuv_ != nullptr ? yuv_->Convert(frame, converted_->data[0], converted_->linesize[0])
                      : Scale(frame);
  if (!is_converted) return "damaged";
  CopyTurned(*converted_, turn, rgb);
  return "";
}

}  // namespace aim
