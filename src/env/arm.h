// The Panda as a tool that goes where it is told: inverse kinematics and control.
#pragma once

#include <Eigen/Core>

#include "aim/geometry/tool_pose.h"
#include "env/mujoco_handle.h"

namespace aim {

using JointVector = Eigen::Matrix<double, 7, 1>;  // joint angles, rad

class Arm {
 public:
  explicit Arm(const mjModel* model);

  // Joint angles, within their limits, that bring the tip to `world_from_tool`, searched from
  // `start`: damped least squares on the tip's Jacobian, a posture as the second aim.
  struct Solution {
    JointVector joints;
    bool reached = false;  // within 2 mm and 1 deg
  };
  Solution Solve(const Rigid3d& world_from_tool, const JointVector& start, int max_iterations);

  // Puts the arm at a pose at once, gripper open, and takes it as the present target.
  // False if the pose cannot be reached.
  bool Place(const Rigid3d& world_from_tool, mjData* data);

  // Moves from the last target to `target` over `num_steps` physics steps, on a straight line at
  // constant speed. Where that is not reachable the arm holds its last target and false is
  // returned; the gripper moves all the same.
  bool Move(const ToolPose& target, int num_steps, mjData* data);

  Rigid3d WorldFromTip(const mjData* data) const;

  // 1 if the first finger is open by more than 90 % of its way, else 0
  // (docs/reference/formats.md 1.6).
  double GripperOpen(const mjData* data) const;

 private:
  struct Error {
    Eigen::Matrix<double, 6, 1> twist;  // metres, radians, in the world
    bool reached = false;
  };
  Error TipError(const Rigid3d& world_from_tool);
  void SetControls(const JointVector& joints, const JointVector& velocity, double gripper_open,
                   mjData* data) const;

  const mjModel* model_;
  DataPtr scratch_;  // kinematics only: the simulation's state is never touched
  int tip_site_;
  int hand_body_;
  JointVector lower_, upper_, lead_s_;
  Rigid3d world_from_target_;
  JointVector target_joints_;
};

}  // namespace aim
