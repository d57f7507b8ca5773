// What a robot is told at most, whatever its plan asks for.
#pragma once

#include <vector>

#include "aim/base/options.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

struct MotionLimits {
  double max_speed_m_s = 0;
  std::vector<double> workspace = {};  // of the tip in the world: x, x, y, y, z, z, low before high

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("max_speed_m_s", self.max_speed_m_s, Range{0, 10},
          "fastest that the tip is told to move; a target beyond is brought nearer; 0 = no limit");
    visit("workspace", self.workspace, Any{},
          "box that the tip is kept in, metres: [x0, x1, y0, y1, z0, z1]; none = no limit");
  }
  void Validate() const;  // throws ConfigError

  bool IsNone() const { return max_speed_m_s == 0 && workspace.empty(); }
};

struct LimitedTarget {
  ToolPose pose;
  bool by_workspace = false;  // it was outside
  bool by_speed = false;      // it was too far to be reached in time
};

// `target` as the limits allow it, `period_s` after the robot was told `last`: the nearest point of
// the box, then as much of the way from `last`, turning included, as the speed allows. The gripper
// is the target's. If `last` is in the box the result is, too.
LimitedTarget LimitTarget(const MotionLimits& limits, const ToolPose& last, const ToolPose& target,
                          double period_s);

}  // namespace aim
