// A pose beside another one, for tests that move the tool.
#pragma once

#include "aim/geometry/tool_pose.h"

namespace aim::testing {

inline ToolPose Shifted(ToolPose pose, double dx, double dy, double dz) {
  pose.world_from_tool.translation += Eigen::Vector3d(dx, dy, dz);
  return pose;
}

}  // namespace aim::testing
