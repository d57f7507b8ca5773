#include "aim/control/motion_limits.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"

namespace aim {

void MotionLimits::Validate() const {
  CheckRanges(*this);
  const auto is_box = [this] {
    if (workspace.size() != 6) return false;
    for (size_t axis = 0; axis < 3; ++axis) {
      const double low = workspace[2 * axis];
      const double high = workspace[2 * axis + 1];
      if (!(std::isfinite(low) && std::isfinite(high) && low < high)) return false;
    }
    return true;
  };
  if (workspace.empty() || is_box()) return;
  throw ConfigError({.where = "workspace",
                     .got = FieldJson(const_cast<std::vector<double>*>(&workspace)).dump(),
                     .expected = "[x0, x1, y0, y1, z0, z1], metres, each first below its second",
                     .fix = ""});
}

LimitedTarget LimitTarget(const MotionLimits& limits, const ToolPose& last, const ToolPose& target,
                          double period_s) {
  AIM_CHECK(period_s > 0);
  LimitedTarget limited{.pose = target};
  Eigen::Vector3d& tip = limited.pose.world_from_tool.translation;
  if (!limits.workspace.empty()) {
    AIM_CHECK(limits.workspace.size() == 6);
    for (int axis = 0; axis < 3; ++axis) {
      const size_t low = 2 * static_cast<size_t>(axis);
      tip[axis] = std::clamp(tip[axis], limits.workspace[low], limits.workspace[low + 1]);
    }
    limited.by_workspace = tip != target.world_from_tool.translation;
  }
  const double distance_m = (tip - last.world_from_tool.translation).norm();
  const double reach_m = limits.max_speed_m_s * period_s;
  if (limits.max_speed_m_s > 0 && distance_m > reach_m) {
    limited.pose.world_from_tool =
        Interpolate(last.world_from_tool, limited.pose.world_from_tool, reach_m / distance_m);
    limited.by_speed = true;
  }
  return limited;
}

}  // namespace aim
