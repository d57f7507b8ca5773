#include "aim/geometry/tool_pose.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/geometry/checked_camera.h"
#include "aim/geometry/value_error.h"

namespace aim {
namespace {

void CheckNumbers(std::span<const double> numbers, const std::string& where) {
  if (numbers.size() != kPoseNumbers) {
    throw PoseError({.where = where,
                     .got = "of " + std::to_string(numbers.size()) + " numbers",
                     .expected = "8: x y z qx qy qz qw gripper_open",
                     .fix = ""});
  }
  for (size_t i = 0; i < kPoseNumbers; ++i) {
    if (std::isfinite(numbers[i])) continue;
    throw PoseError({.where = where + ", " + kPoseNumberNames[i],
                     .got = std::isnan(numbers[i]) ? "NaN" : "infinite",
                     .expected = "a finite number",
                     .fix = "remove the frame or repair its recording"});
  }
  CheckedRotation(Eigen::Quaterniond(numbers[6], numbers[3], numbers[4], numbers[5]),
                  where + ", qx qy qz qw", "check that the order is x, y, z, w");
  if (!(numbers[7] >= -kPoseTolerance && numbers[7] <= 1.0 + kPoseTolerance)) {
    throw PoseError({.where = where + ", gripper_open",
                     .got = ToText(numbers[7]),
                     .expected = "a number in [0, 1], 1 = open",
                     .fix = ""});
  }
}

}  // namespace

std::array<double, kPoseNumbers> ToNumbers(const ToolPose& pose) {
  const Eigen::Vector3d& p = pose.world_from_tool.translation;
  const Eigen::Quaterniond q = CanonicalSign(pose.world_from_tool.rotation);
  return {p.x(), p.y(), p.z(), q.x(), q.y(), q.z(), q.w(), pose.gripper_open};
}

ToolPose ToolPoseFromNumbers(std::span<const double> numbers, const std::string& where) {
  CheckNumbers(numbers, where);
  ToolPose pose;
  pose.world_from_tool.translation = {numbers[0], numbers[1], numbers[2]};
  pose.world_from_tool.rotation = CanonicalSign(
      Eigen::Quaterniond(numbers[6], numbers[3], numbers[4], numbers[5]).normalized());
  pose.gripper_open = std::clamp(numbers[7], 0.0, 1.0);
  return pose;
}

void Validate(const ToolPose& pose, const std::string& where) {
  CheckNumbers(ToNumbers(pose), where);
}

double PoseDifference::rotation_deg() const { return rotation_rad / kDegree; }

PoseDifference Difference(const ToolPose& a, const ToolPose& b) {
  return {(a.world_from_tool.translation - b.world_from_tool.translation).norm(),
          AngleBetween(a.world_from_tool.rotation, b.world_from_tool.rotation),
          (a.gripper_open > 0.5) == (b.gripper_open > 0.5)};
}

}  // namespace aim
