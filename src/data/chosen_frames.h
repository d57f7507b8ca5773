// Frames of a recording that are chosen by number and shown at times of their own.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "aim/media/frame_reader.h"

namespace aim {

class ChosenFrames : public FrameReader {
 public:
  // Frame k is frame `frames[k]` of `all`, shown at times_s[k]. Frames rise, times are one a frame.
  ChosenFrames(std::unique_ptr<FrameReader> all, std::vector<int> frames,
               std::vector<double> times_s, double fps);

  const VideoInfo& info() const override { return info_; }
  void VisitFrames(int begin, int end, int stride, const Visit& visit) override;

 private:
  std::unique_ptr<FrameReader> all_;
  std::vector<int> frames_;
  VideoInfo info_;
};

// The rate at which a recorder that keeps `nominal_fps` says that it ran: that rate where its usual
// interval is within a fifth of it, else the one of the times (media/frame_times.h).
double RecordedRate(std::span<const double> times_s, double nominal_fps);

}  // namespace aim
