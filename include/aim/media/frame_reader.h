// Frames that are read a part at a time: those of a video file, or pictures in a folder.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace aim {

struct VideoFormat {
  int width = 0;   // pixels
  int height = 0;  // pixels
  double fps = 0;  // frames a second; where they vary the usual number, to which gaps do not count
};

// What can be known of a video without decoding it.
struct VideoInfo {
  VideoFormat format;
  int num_frames = 0;
  std::vector<double> times_s;  // of each frame
};

class FrameReader {
 public:
  virtual ~FrameReader() = default;

  virtual const VideoInfo& info() const = 0;

  // Called with a frame's number and its pixels [height, width, 3], which last for the call.
  using Visit = std::function<void(int frame, std::span<const uint8_t> rgb)>;

  // Frames begin, begin + stride, ... below `end`, which lies within the video. Throws FormatError
  // where one of them is damaged; damage elsewhere is not seen.
  virtual void VisitFrames(int begin, int end, int stride, const Visit& visit) = 0;
};

}  // namespace aim
