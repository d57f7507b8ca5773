// Pictures of planar YUV in RGB, by zimg: five times as fast as swscale, and as near to the
// formulas. For the sources of media only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "media/libav.h"

namespace aim {

// One of all frames of a video. Knows the matrices of H.273 but for those of constant luminance,
// full and limited range, 8 to 16 bits, and
// subsampling by powers of two of pictures whose sides they divide.
class PlanarYuv {
 public:
  // Whether frames of this kind are its.
  static bool Takes(const AVFrame& frame);

  // For frames like this one, which it takes.
  explicit PlanarYuv(const AVFrame& like);
  ~PlanarYuv();

  // Writes [height, width, 3], rows `stride` bytes apart. False if zimg refuses the frame.
  bool Convert(const AVFrame& frame, uint8_t* rgb, ptrdiff_t stride);

 private:
  class Graph;
  std::unique_ptr<Graph> graph_;
  LibavPtr<AVFrame> aligned_;  // a copy of frames that do not lie as zimg wants them
};

// The old formats of JPEG's range say so by their name.
bool HasFullRange(const AVFrame& frame);

}  // namespace aim
