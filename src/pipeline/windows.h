// A long video as overlapping windows, and one track of poses from what each of them gave.
#pragma once

#include <span>
#include <vector>

#include "aim/codec/plan.h"

namespace aim {

// First frames of windows of `window` frames that cover `num_frames` and share at least `overlap`;
// the last one ends with the video. 0 <= overlap < window.
std::vector<int> WindowStarts(int num_frames, int window, int overlap);

struct DecodedWindow {
  int start = 0;
  std::vector<DecodedPose> frames;  // may reach past the video's end
};

// Every frame from the windows that hold it, weighted by confidence times a ramp that falls
// towards the window's ends. Frames that none decoded are not decodable.
std::vector<DecodedPose> BlendWindows(const std::vector<DecodedWindow>& windows, int num_frames);

// Poses at every `stride`-th of the frames with these rising times to poses at all of them:
// interpolates by time between the known ones, marks what it made `from_prior`.
std::vector<DecodedPose> SpreadOut(const std::vector<DecodedPose>& frames, int stride,
                                   std::span<const double> times_s);

}  // namespace aim
