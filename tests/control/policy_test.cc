#include "aim/control/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numbers>
#include <vector>

#include "aim/base/error.h"

namespace aim {
namespace {

ToolPose PoseAt(double x_m, double gripper_open = 1.0) {
  ToolPose pose;
  pose.world_from_tool.translation = {x_m, 0.2, 0.3};
  pose.world_from_tool.rotation =
      Eigen::Quaterniond(Eigen::AngleAxisd(x_m, Eigen::Vector3d::UnitZ()));
  pose.gripper_open = gripper_open;
  return pose;
}

Clip SeenAt(double x) {
  Clip clip;
  clip.poses = {PoseAt(x)};
  return clip;
}

std::vector<ToolPose> Line(int num_frames) {
  std::vector<ToolPose> poses;
  for (int i = 0; i < num_frames; ++i) poses.push_back(PoseAt(0.1 * i, i % 2));
  return poses;
}

void ExpectSame(const ToolPose& a, const ToolPose& b) {
  EXPECT_LE((a.world_from_tool.translation - b.world_from_tool.translation).norm(), 1e-12);
  EXPECT_LE(AngleBetween(a.world_from_tool.rotation, b.world_from_tool.rotation), 1e-7);
  EXPECT_EQ(a.gripper_open, b.gripper_open);
}

// Executing a plan whole at its own period gives its poses after the present one, unchanged.
TEST(ExecutionTargets, WholePlanIsItsPoses) {
  const std::vector<ToolPose> poses = Line(7);
  const std::vector<ToolPose> targets =
      ExecutionTargets(PlanFromPoses(poses, 0.12), poses[0], 0.12);
  ASSERT_EQ(targets.size(), 6u);
  for (size_t i = 0; i < targets.size(); ++i) ExpectSame(targets[i], poses[i + 1]);
}

TEST(ExecutionTargets, HorizonCutsThePlanButNeverExtendsIt) {
  const Plan plan = PlanFromPoses(Line(7), 0.12);
  EXPECT_EQ(ExecutionTargets(plan, PoseAt(0), 0.12, {.horizon = 4}).size(), 4u);
  EXPECT_EQ(ExecutionTargets(plan, PoseAt(0), 0.12, {.horizon = 100}).size(), 6u);
}

// 5 Hz plan on a 20 Hz controller: position linear, rotation SLERP, gripper a step.
TEST(ExecutionTargets, ResamplesToTheControllersPeriod) {
  const std::vector<ToolPose> poses = Line(3);
  const std::vector<ToolPose> targets = ExecutionTargets(PlanFromPoses(poses, 0.2), poses[0], 0.05);
  ASSERT_EQ(targets.size(), 8u);
  for (size_t i = 0; i < targets.size(); ++i) {
    const double x_m = 0.025 * static_cast<double>(i + 1);
    ExpectSame(targets[i], PoseAt(x_m, i + 1 >= 4 && i + 1 < 8 ? 1.0 : 0.0));
  }
}

TEST(ExecutionTargets, UntrustedFramesRepeatTheLastTarget) {
  Plan plan = PlanFromPoses(Line(6), 0.1);
  plan.frames[1].decodable = false;  // at the start: the present pose is kept
  plan.frames[3].confidence = 0.1;
  plan.frames[5].decodable = false;
  plan.frames[5].from_prior = true;  // filled in from its neighbours: used
  const std::vector<ToolPose> targets =
      ExecutionTargets(plan, PoseAt(-1), 0.1, {.min_confidence = 0.5});
  ASSERT_EQ(targets.size(), 5u);
  ExpectSame(targets[0], plan.frames[0].pose);
  ExpectSame(targets[1], plan.frames[2].pose);
  ExpectSame(targets[2], plan.frames[2].pose);
  ExpectSame(targets[3], plan.frames[4].pose);
  ExpectSame(targets[4], plan.frames[5].pose);
}

TEST(ExecutionTargets, RampStartsAtThePresentPose) {
  const Plan plan = PlanFromPoses(Line(9), 0.1);
  const ToolPose present = PoseAt(-0.4, 1.0);
  const std::vector<ToolPose> targets = ExecutionTargets(plan, present, 0.1, {.ramp_frames = 4});
  // From -0.4 (frame 0) to 0.4 (frame 4) in equal parts, gripper held.
  ExpectSame(targets[0], PoseAt(-0.2, 1.0));
  ExpectSame(targets[1], PoseAt(0.0, 1.0));
  ExpectSame(targets[2], PoseAt(0.2, 1.0));
  ExpectSame(targets[3], plan.frames[4].pose);
}

TEST(ExecutionTargets, RefusesBrokenPlans) {
  const auto message = [](const Plan& plan) -> std::string {
    try {
      ExecutionTargets(plan, PoseAt(0), 0.1);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(PlanFromPoses(Line(1), 0.1)), ::testing::HasSubstr("1 frame long"));
  EXPECT_THAT(message(PlanFromPoses(Line(3), 0)), ::testing::HasSubstr("plan.period_s"));
  Plan plan = PlanFromPoses(Line(3), 0.1);
  plan.frames[2].pose.world_from_tool.translation.x() = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(message(plan), ::testing::HasSubstr("plan.frames[2] is not a finite pose"));
}

TEST(ReplayPolicy, GoesOnFromThePresentFrame) {
  const std::vector<ToolPose> commands = Line(6);
  ReplayPolicy policy(commands, 0.12);
  policy.Reset(1);
  const Plan plan = policy.Act({}, {.frame = 2});
  ASSERT_EQ(plan.frames.size(), 4u);
  ExpectSame(plan.frames[0].pose, commands[2]);
  ExpectSame(plan.frames[3].pose, commands[5]);
  EXPECT_EQ(plan.period_s, 0.12);
}

TEST(ReplayPolicy, HoldsTheLastCommandWhenTheyHaveRunOut) {
  const std::vector<ToolPose> commands = Line(6);
  ReplayPolicy policy(commands, 0.12);
  const Plan plan = policy.Act({}, {.frame = 40});
  ASSERT_EQ(plan.frames.size(), 2u);
  ExpectSame(plan.frames[1].pose, commands[5]);
}

TEST(StillPolicy, KeepsTheFirstPoseOfTheEpisode) {
  StillPolicy policy(5, 0.1);
  policy.Reset(0);
  ExpectSame(policy.Act(SeenAt(0.5), {}).frames[4].pose, PoseAt(0.5));
  ExpectSame(policy.Act(SeenAt(0.7), {}).frames[4].pose, PoseAt(0.5));
  policy.Reset(0);
  ExpectSame(policy.Act(SeenAt(0.7), {}).frames[4].pose, PoseAt(0.7));
}

}  // namespace
}  // namespace aim
