// Decoded frames as RGB, as a player shows them. For the sources of media only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "media/libav.h"

namespace aim {

// How a player turns the pictures that a file holds: a quarter turn first, then mirrored.
struct PictureTurn {
  bool transposed = false;  // rows become columns
  bool flip_x = false;
  bool flip_y = false;

  bool operator==(const PictureTurn&) const = default;
};

// From a display matrix (libavutil/display.h), nine numbers; null stands for none. Returns false if
// it turns by anything but quarter turns.
bool TurnFromMatrix(const int32_t* matrix, PictureTurn& turn);

class PlanarYuv;

// One of all frames of a video, which must have one size and pixel format. zimg converts planar
// YUV, swscale all else.
class FramePixels {
 public:
  FramePixels();
  ~FramePixels();

  // Writes [height, width, 3], of the turned size, by the frame's own matrix, range and colour
  // space. Returns what is wrong with the frame, or an empty text.
  std::string Convert(const AVFrame& frame, const PictureTurn& turn, uint8_t* rgb);

 private:
  std::string Open(const AVFrame& frame);
  bool Scale(const AVFrame& frame);

  std::unique_ptr<PlanarYuv> yuv_;
  LibavPtr<SwsContext> scaler_;
  LibavPtr<AVFrame> converted_;  // swscale writes over the end of a line: padded, not the caller's
  int format_ = AV_PIX_FMT_NONE;
};

}  // namespace aim
