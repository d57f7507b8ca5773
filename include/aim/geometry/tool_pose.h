// Where the tool tip is and how far the gripper is open: one robot action.
#pragma once

#include <vector>

#include "aim/geometry/rigid3.h"

namespace aim {

// Tool frame: origin at the tip midway between the finger ends, z the approach direction, y the
// opening axis. World frame of the episode, metres.
struct ToolPose {
  Rigid3d world_from_tool;
  double gripper_open = 1.0;  // [0, 1], 1 = open
};

}  // namespace aim
