// A long video as overlapping windows, and one track of poses from what each of them gave.
#pragma once

#include <vector>

#include "aim/codec/clip.h"
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

// Frames 0, stride, 2 stride, ... with their cameras and poses.
Clip EveryNthFrame(const Clip& clip, int stride);

// The inverse for poses: interpolates between the known frames, marks what it made `from_prior`.
std::vector<DecodedPose> SpreadOut(const std::vector<DecodedPose>& frames, int stride,
                                   int num_frames);

}  // namespace aim
