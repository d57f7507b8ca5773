#include "env/expert.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace aim {

std::vector<ToolPose> CommandsFromWaypoints(const Rigid3d& world_from_start,
                                            const std::vector<Waypoint>& waypoints,
                                            const ExpertSpeed& speed) {
  std::vector<ToolPose> commands = {{world_from_start, 1.0}};
  Rigid3d from = world_from_start;
  double gripper_open = 1.0;
  for (const Waypoint& waypoint : waypoints) {
    const Rigid3d& to = waypoint.world_from_tool;
    gripper_open = waypoint.gripper_open ? 1.0 : 0.0;
    // A hair less than a whole frame counts as that frame.
    const double frames_travel = (to.translation - from.translation).norm() / speed.step_m;
    const double frames_turn = AngleBetween(to.rotation, from.rotation) / speed.turn_rad;
    const int num_frames = static_cast<int>(std::ceil(std::max(frames_travel, frames_turn) - 1e-6));
    for (int frame = 1; frame <= num_frames; ++frame) {
      commands.push_back({Interpolate(from, to, double(frame) / num_frames), gripper_open});
    }
    commands.insert(commands.end(), static_cast<size_t>(waypoint.wait_frames), {to, gripper_open});
    from = to;
  }
  commands.insert(commands.end(), static_cast<size_t>(speed.hold_frames), {from, gripper_open});
  return commands;
}

Eigen::Vector3d TipPosition(const mjModel* model, const mjData* data) {
  const mjtNum* tip = data->site_xpos + 3 * FindId(model, mjOBJ_SITE, "tip");
  return {tip[0], tip[1], tip[2]};
}

Rigid3d ToolDown(const Eigen::Vector3d& tip_in_world, double yaw_rad) {
  const Eigen::Quaterniond yaw(Eigen::AngleAxisd(yaw_rad, Eigen::Vector3d::UnitZ()));
  const Eigen::Quaterniond down(0, 1, 0, 0);  // x forward, y right, z down
  return {yaw * down, tip_in_world};
}

Rigid3d ToolDownNear(const Eigen::Vector3d& tip_in_world, const Eigen::Quaterniond& rotation) {
  const Eigen::Quaterniond upright =
      RotationBetween(rotation * Eigen::Vector3d::UnitZ(), -Eigen::Vector3d::UnitZ());
  return {(upright * rotation).normalized(), tip_in_world};
}

Rigid3d OnTable(double x, double y, double z, double yaw_rad) {
  return {Eigen::Quaterniond(Eigen::AngleAxisd(yaw_rad, Eigen::Vector3d::UnitZ())),
          Eigen::Vector3d(x, y, z)};
}

double YawOf(const Eigen::Quaterniond& rotation) {
  const Eigen::Vector3d x = rotation * Eigen::Vector3d::UnitX();
  return std::atan2(x.y(), x.x());
}

double QuarterTurnNearest(double yaw_rad) {
  constexpr double quarter = std::numbers::pi / 2;
  return yaw_rad - quarter * std::floor(yaw_rad / quarter + 0.5);
}

}  // namespace aim
