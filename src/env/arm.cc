#include "env/arm.h"

#include <Eigen/Cholesky>
#include <array>
#include <cmath>
#include <vector>

namespace aim {
namespace {

constexpr int kNumJoints = 7;
constexpr int kGripperActuator = 7;
constexpr int kFingerJoint = 7;
constexpr double kFingerTravel_m = 0.04;
constexpr double kDamping = 1e-3;
constexpr double kPostureGain = 0.1;
constexpr int kKnots = 6;  // inverse kinematics is solved this often in a frame
constexpr double kBranchJump_rad = 0.4;
constexpr double kReached_m = 2e-3;
constexpr double kReached_rad = 0.0175;
constexpr double kFine_m = 2e-5;
constexpr double kFine_rad = 1e-4;

// Elbow up, hand above the middle of the workspace and pointing down.
JointVector Posture() {
  JointVector q;
  q << 0, 0.1, 0, -2.2, 0, 2.3, -0.7853;
  return q;
}

}  // namespace

Arm::Arm(const mjModel* model)
    : model_(model),
      scratch_(mj_makeData(model)),
      tip_site_(FindId(model, mjOBJ_SITE, "tip")),
      hand_body_(FindId(model, mjOBJ_BODY, "hand")),
      target_joints_(Posture()) {
  for (int i = 0; i < kNumJoints; ++i) {
    lower_[i] = model->jnt_range[2 * i] + 1e-3;
    upper_[i] = model->jnt_range[2 * i + 1] - 1e-3;
    // ctrl = q + lead * velocity cancels the actuator's and the joint's damping
    // (docs/reference/simulator.md 5).
    const double gain = model->actuator_gainprm[mjNGAIN * i];
    const double damping = model->dof_damping[i] - model->actuator_biasprm[mjNBIAS * i + 2];
    lead_s_[i] = damping / gain;
  }
}

Rigid3d Arm::WorldFromTip(const mjData* data) const {
  const mjtNum* p = data->site_xpos + 3 * tip_site_;
  mjtNum quaternion[4];
  mju_mat2Quat(quaternion, data->site_xmat + 9 * tip_site_);
  return RigidFromMujoco(p, quaternion);
}

double Arm::GripperOpen(const mjData* data) const {
  return data->qpos[kFingerJoint] > 0.9 * kFingerTravel_m ? 1.0 : 0.0;
}

Arm::Error Arm::TipError(const Rigid3d& world_from_tool) {
  const Rigid3d world_from_tip = WorldFromTip(scratch_.get());
  Error error;
  error.twist.head<3>() = world_from_tool.translation - world_from_tip.translation;
  error.twist.tail<3>() =
      LogRotation(world_from_tool.rotation * world_from_tip.rotation.conjugate());
  error.reached =
      error.twist.head<3>().norm() < kReached_m && error.twist.tail<3>().norm() < kReached_rad;
  return error;
}

Arm::Solution Arm::Solve(const Rigid3d& world_from_tool, const JointVector& start,
                         int max_iterations) {
  JointVector q = start;
  std::vector<mjtNum> jacobian(static_cast<size_t>(6 * model_->nv));
  mjtNum* const jacobian_p = jacobian.data();
  mjtNum* const jacobian_r = jacobian.data() + 3 * model_->nv;
  using RowMajor = Eigen::Matrix<mjtNum, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  for (int iteration = 0;; ++iteration) {
    for (int i = 0; i < kNumJoints; ++i) scratch_->qpos[i] = q[i];
    mj_kinematics(model_, scratch_.get());
    const Error error = TipError(world_from_tool);
    const bool fine =
        error.twist.head<3>().norm() < kFine_m && error.twist.tail<3>().norm() < kFine_rad;
    if (fine || iteration == max_iterations) return {q, error.reached};
    mj_comPos(model_, scratch_.get());
    mj_jacSite(model_, scratch_.get(), jacobian_p, jacobian_r, tip_site_);
    const Eigen::Matrix<double, 6, 7> j =
        Eigen::Map<RowMajor>(jacobian.data(), 6, model_->nv).leftCols<7>();
    const Eigen::Matrix<double, 6, 6> damped =
        j * j.transpose() + kDamping * kDamping * Eigen::Matrix<double, 6, 6>::Identity();
    const Eigen::LDLT<Eigen::Matrix<double, 6, 6>> solver(damped);
    const JointVector posture_step = kPostureGain * (Posture() - q);
    const JointVector step =
        j.transpose() * solver.solve(error.twist - j * posture_step) + posture_step;
    q = (q + step).cwiseMax(lower_).cwiseMin(upper_);
  }
}

bool Arm::Place(const Rigid3d& world_from_tool, mjData* data) {
  const Solution solution = Solve(world_from_tool, Posture(), 60);
  for (int i = 0; i < kNumJoints; ++i) data->qpos[i] = solution.joints[i];
  data->qpos[kFingerJoint] = kFingerTravel_m;
  data->qpos[kFingerJoint + 1] = kFingerTravel_m;
  world_from_target_ = world_from_tool;
  target_joints_ = solution.joints;
  SetControls(target_joints_, JointVector::Zero(), 1.0, data);
  return solution.reached;
}

void Arm::SetControls(const JointVector& joints, const JointVector& velocity, double gripper_open,
                      mjData* data) const {
  const JointVector control = joints + lead_s_.cwiseProduct(velocity);
  for (int i = 0; i < kNumJoints; ++i) data->ctrl[i] = control[i];
  data->ctrl[kGripperActuator] = gripper_open > 0.5 ? 255 : 0;
}

bool Arm::Move(const ToolPose& target, int num_steps, mjData* data) {
  std::array<JointVector, kKnots + 1> knots;
  knots[0] = target_joints_;
  bool reached = true;
  for (int knot = 1; knot <= kKnots && reached; ++knot) {
    const Rigid3d world_from_knot =
        Interpolate(world_from_target_, target.world_from_tool, double(knot) / kKnots);
    const auto index = static_cast<size_t>(knot);
    const Solution solution = Solve(world_from_knot, knots[index - 1], 20);
    knots[index] = solution.joints;
    // A jump to another branch of solutions would swing the tip away in between.
    const double jump_rad = (knots[index] - knots[index - 1]).cwiseAbs().maxCoeff();
    reached = solution.reached && jump_rad < kBranchJump_rad;
  }
  if (!reached) knots.fill(target_joints_);
  for (int step = 0; step < num_steps; ++step) {
    const double along = double(step + 1) / num_steps * kKnots;
    const auto knot = std::min<size_t>(static_cast<size_t>(along), kKnots - 1);
    const JointVector span = knots[knot + 1] - knots[knot];
    const double span_s = num_steps * model_->opt.timestep / kKnots;
    SetControls(knots[knot] + (along - double(knot)) * span, span / span_s, target.gripper_open,
                data);
    mj_step(model_, data);
  }
  // Positions of the state just reached, for reading and drawing.
  mj_kinematics(model_, data);
  mj_camlight(model_, data);
  if (reached) {
    world_from_target_ = target.world_from_tool;
    target_joints_ = knots[kKnots];
  }
  return reached;
}

}  // namespace aim
