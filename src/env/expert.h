// Turns an expert's waypoints into one commanded pose a frame.
#pragma once

#include <vector>

#include "aim/geometry/tool_pose.h"
#include "env/task.h"

namespace aim {

struct ExpertSpeed {
  double step_m = 0.04;        // travel of the tip in one frame, at most
  double turn_rad = 0.349066;  // turning in one frame, at most (20 deg)
  int hold_frames = 3;         // at the goal
};

// The first pose is the start (gripper open), each further one the target of a frame. Speed is
// constant on each segment, which takes a whole number of frames.
std::vector<ToolPose> CommandsFromWaypoints(const Rigid3d& world_from_start,
                                            const std::vector<Waypoint>& waypoints,
                                            const ExpertSpeed& speed = {});

}  // namespace aim
