// The one currency of data, training, policy and evaluation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

// Frames of one calibrated camera. A view may have fewer frames than the clip has poses (only the
// first is known when a policy acts) or none.
struct ClipView {
  CameraTrack camera;
  int num_frames = 0;
  std::vector<uint8_t> rgb;  // [num_frames, H, W, 3], row-major
};

// Views x frames of RGB, cameras, poses and the prompt. All views have one size. Action images are
// drawn from poses and cameras when they are needed.
struct Clip {
  int height = 0;
  int width = 0;
  double fps = 0;
  std::vector<ClipView> views;
  std::vector<ToolPose> poses;  // one a frame; may be empty (video without actions)
  std::string prompt;
};

// Its views' cameras, in order.
std::vector<CameraTrack> CamerasOf(const Clip& clip);

}  // namespace aim
