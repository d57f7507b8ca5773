// Timed poses with confidence: the one currency of policy, environments, serving and evaluation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aim/geometry/tool_pose.h"

namespace aim {

// One decoded frame. `decodable` is false when too little was visible; the pose is then the
// temporal prior's (if `from_prior`) or meaningless.
struct DecodedPose {
  ToolPose pose;
  bool decodable = false;
  bool from_prior = false;       // filled in from neighbouring frames, not seen
  double confidence = 0;         // [0, 1]
  double residual_px = 0;        // weighted RMS distance of projected anchors to their blobs
  std::vector<uint8_t> visible;  // 0/1 per view and anchor: view0 R, G, B, view1 R, G, B, ...
};

// Median confidence over all frames, in [0, 1]: one that was not decoded, filled in or not, counts
// as 0. NaN without frames.
double MedianConfidence(std::span<const DecodedPose> frames);

// Frame k is meant for time k * period_s after the observation it was made from; frame 0 is the
// pose at the observation itself.
struct Plan {
  double period_s = 0;
  std::vector<DecodedPose> frames;
};

}  // namespace aim
