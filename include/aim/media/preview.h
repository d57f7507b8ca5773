// Videos for programs, with a copy for people beside them.
#pragma once

#include <filesystem>

#include "aim/media/video.h"

namespace aim {

// "view0_preview.mp4" of "view0.mp4".
std::filesystem::path PreviewPath(const std::filesystem::path& video);

// The picture at the smallest whole multiple of its size whose shorter side has 256 pixels: each
// pixel becomes a square.
Image EnlargePixels(const Image& image);

// Writes a lossless video, which few players and browsers show in its colours, and beside it, at
// PreviewPath, a yuv420p copy of the enlarged pictures, which all of them do. Both appear when
// Finish returns.
class PreviewedVideoWriter {
 public:
  PreviewedVideoWriter(const std::filesystem::path& path, const VideoFormat& format);

  void Append(const Image& image);
  void Finish();

 private:
  VideoWriter lossless_;
  VideoWriter preview_;
};

}  // namespace aim
