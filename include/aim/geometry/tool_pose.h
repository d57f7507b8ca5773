// Where the tool tip is and how far the gripper is open: one robot action.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "aim/geometry/rigid3.h"

namespace aim {

// Tool frame: origin at the tip midway between the finger ends, z the approach direction, y the
// opening axis. World frame of the episode, metres.
struct ToolPose {
  Rigid3d world_from_tool;
  double gripper_open = 1.0;  // [0, 1], 1 = open
};

// A pose as files and the wire hold it: x y z (metres), qx qy qz qw (qw >= 0), gripper_open.
inline constexpr size_t kPoseNumbers = 8;
inline constexpr std::array<const char*, kPoseNumbers> kPoseNumberNames = {
    "x", "y", "z", "qx", "qy", "qz", "qw", "gripper_open"};
std::array<double, kPoseNumbers> ToNumbers(const ToolPose& pose);

// How far a quaternion's length may be from 1 and openness outside [0, 1]; what is within is
// normalised and clamped.
inline constexpr double kPoseTolerance = 1e-3;

// Throws InputError naming `where` and the number unless there are eight, all finite, of a unit
// quaternion and an openness in [0, 1].
ToolPose ToolPoseFromNumbers(std::span<const double> numbers, const std::string& where);

// The checks of ToolPoseFromNumbers on a pose at hand.
void Validate(const ToolPose& pose, const std::string& where);

// How far two poses are apart.
struct PoseDifference {
  double position_m = 0;
  double rotation_rad = 0;      // angle of the one rotation that turns one into the other, [0, pi]
  bool is_same_gripper = true;  // both on one side of half open

  double position_mm() const { return 1000.0 * position_m; }
  double rotation_deg() const;
};
PoseDifference Difference(const ToolPose& a, const ToolPose& b);

}  // namespace aim
