#include "aim/control/motion_limits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "aim/base/rng.h"
#include "support/case_name.h"
#include "support/throws.h"

namespace aim {
namespace {

constexpr double kPeriodS = 0.1;
const std::vector<double> kBox = {-0.2, 0.3, -0.4, 0.5, 0.0, 0.6};

ToolPose DrawPose(Rng& rng, double size_m) {
  ToolPose pose;
  for (int axis = 0; axis < 3; ++axis) {
    pose.world_from_tool.translation[axis] = rng.Uniform(-size_m, size_m);
  }
  pose.world_from_tool.rotation =
      Eigen::Quaterniond(Eigen::AngleAxisd(rng.Uniform(0, 3), Eigen::Vector3d::UnitY()));
  pose.gripper_open = rng.Uniform();
  return pose;
}

bool IsInBox(const ToolPose& pose) {
  const Eigen::Vector3d& tip = pose.world_from_tool.translation;
  for (int axis = 0; axis < 3; ++axis) {
    const auto low = static_cast<size_t>(2 * axis);
    if (!(tip[axis] >= kBox[low] - 1e-12 && tip[axis] <= kBox[low + 1] + 1e-12)) return false;
  }
  return true;
}

// Whatever is asked for, what the robot is told stays in the box and below the speed.
TEST(MotionLimitsTest, HoldForEveryTarget) {
  Rng rng(3);
  const MotionLimits limits{.max_speed_m_s = 0.5, .workspace = kBox};
  ToolPose last;
  last.world_from_tool.translation = {0, 0, 0.1};
  int num_by_workspace = 0;
  int num_by_speed = 0;
  for (int i = 0; i < 1000; ++i) {
    const ToolPose target = DrawPose(rng, i % 2 == 0 ? 0.05 : 1.0);
    const LimitedTarget limited = LimitTarget(limits, last, target, kPeriodS);
    EXPECT_TRUE(IsInBox(limited.pose)) << i;
    EXPECT_EQ(limited.by_workspace, !IsInBox(target)) << i;
    const PoseDifference step = Difference(last, limited.pose);
    EXPECT_LE(step.position_mm(), 50 + 1e-9) << i;
    EXPECT_EQ(limited.pose.gripper_open, target.gripper_open);
    num_by_workspace += limited.by_workspace;
    num_by_speed += limited.by_speed;
    last = limited.pose;
  }
  EXPECT_GT(num_by_workspace, 100);
  EXPECT_GT(num_by_speed, 100);
}

TEST(MotionLimitsTest, WhatIsAllowedIsUntouched) {
  Rng rng(4);
  for (const MotionLimits& limits :
       {MotionLimits{}, MotionLimits{.max_speed_m_s = 10, .workspace = {-9, 9, -9, 9, -9, 9}}}) {
    const ToolPose last = DrawPose(rng, 0.1);
    const ToolPose target = DrawPose(rng, 0.1);
    const LimitedTarget limited = LimitTarget(limits, last, target, kPeriodS);
    EXPECT_FALSE(limited.by_workspace || limited.by_speed);
    EXPECT_EQ(limited.pose.world_from_tool.translation, target.world_from_tool.translation);
    EXPECT_EQ(limited.pose.world_from_tool.rotation.coeffs(),
              target.world_from_tool.rotation.coeffs());
  }
}

// The tool turns by the share of the way that it goes, and arrives in the end.
TEST(MotionLimitsTest, AFastTargetIsReachedStepByStep) {
  const MotionLimits limits{.max_speed_m_s = 1.0};
  ToolPose last;
  ToolPose target;
  target.world_from_tool.translation = {0.3, 0, 0};
  target.world_from_tool.rotation =
      Eigen::Quaterniond(Eigen::AngleAxisd(0.9, Eigen::Vector3d::UnitZ()));
  for (const double expected : {0.1, 0.2, 0.3}) {
    last = LimitTarget(limits, last, target, kPeriodS).pose;
    EXPECT_NEAR(last.world_from_tool.translation.x(), expected, 1e-12);
    EXPECT_NEAR(AngleBetween(last.world_from_tool.rotation, Eigen::Quaterniond::Identity()),
                3 * expected, 1e-9);
  }
  EXPECT_FALSE(LimitTarget(limits, last, target, kPeriodS).by_speed);
}

struct BadBox {
  std::string name;
  std::vector<double> box;
};

class BadBoxTest : public ::testing::TestWithParam<BadBox> {};

TEST_P(BadBoxTest, IsRefused) {
  const MotionLimits limits{.workspace = GetParam().box};
  testing::ExpectThrowsWith<ConfigError>([&] { limits.Validate(); },
                                         {"workspace", "[x0, x1, y0, y1, z0, z1]"});
}

INSTANTIATE_TEST_SUITE_P(Table, BadBoxTest,
                         ::testing::Values(BadBox{"TooShort", {0, 1, 0, 1}},
                                           BadBox{"Reversed", {0, 1, 1, 0, 0, 1}},
                                           BadBox{"Empty", {0, 1, 0, 1, 2, 2}}),
                         testing::CaseName());

}  // namespace
}  // namespace aim
