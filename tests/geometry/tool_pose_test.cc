#include "aim/geometry/tool_pose.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/scene.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::RigidNear;

// Numbers and back, whichever sign the quaternion had.
TEST(ToolPoseTest, NumbersRoundTrip) {
  Rng rng(3);
  for (int i = 0; i < 100; ++i) {
    ToolPose pose;
    pose.world_from_tool.translation = {rng.Normal(), rng.Normal(), rng.Normal()};
    pose.world_from_tool.rotation =
        Eigen::Quaterniond(rng.Normal(), rng.Normal(), rng.Normal(), rng.Normal()).normalized();
    pose.gripper_open = rng.Uniform();
    const auto numbers = ToNumbers(pose);
    EXPECT_GE(numbers[6], 0);
    const ToolPose back = ToolPoseFromNumbers(numbers, "pose");
    EXPECT_THAT(back.world_from_tool, RigidNear(pose.world_from_tool, 1e-12, 1e-12)) << i;
    EXPECT_EQ(back.gripper_open, pose.gripper_open);
  }
}

// What is wrong by less than the tolerance is made right.
TEST(ToolPoseTest, SmallErrorsAreMended) {
  const ToolPose pose = ToolPoseFromNumbers({{0, 0, 0, 0, 0, 0, 1.0009, 1.0005}}, "pose");
  EXPECT_NEAR(pose.world_from_tool.rotation.norm(), 1, 1e-15);
  EXPECT_EQ(pose.gripper_open, 1);
  EXPECT_EQ(ToolPoseFromNumbers({{0, 0, 0, 0, 0, 0, 1, -0.0005}}, "pose").gripper_open, 0);
}

struct BadPose {
  const char* name;
  std::vector<double> numbers;
  std::vector<std::string> words;
};

class BadPoseTest : public ::testing::TestWithParam<BadPose> {};

TEST_P(BadPoseTest, IsRefusedInWords) {
  testing::ExpectThrowsWith<InputError>([] { ToolPoseFromNumbers(GetParam().numbers, "row 3"); },
                                        GetParam().words);
}

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
INSTANTIATE_TEST_SUITE_P(
    Poses, BadPoseTest,
    ::testing::Values(
        BadPose{"Seven", {0, 0, 0, 0, 0, 0, 1}, {"row 3 is of 7 numbers", "x y z qx qy qz qw"}},
        BadPose{"Nan", {0, kNotANumber, 0, 0, 0, 0, 1, 1}, {"row 3, y is NaN", "a finite number"}},
        BadPose{"Infinite", {0, 0, 0, 0, 0, kInf, 1, 1}, {"row 3, qz is infinite"}},
        BadPose{"Short", {0, 0, 0, 0, 0, 0, 0.998, 1}, {"qx qy qz qw is a quaternion of length"}},
        BadPose{"Zero", {0, 0, 0, 0, 0, 0, 0, 1}, {"length 0;"}},
        BadPose{"Open", {0, 0, 0, 0, 0, 0, 1, 1.01}, {"gripper_open is 1.01", "[0, 1]"}},
        BadPose{"NanOpen", {0, 0, 0, 0, 0, 0, 1, kNotANumber}, {"gripper_open is NaN"}}),
    testing::CaseName());

TEST(PoseDifferenceTest, MetresRadiansAndTheSideOfHalfOpen) {
  ToolPose a, b;
  b.world_from_tool.translation = {0.003, 0, 0.004};
  b.world_from_tool.rotation =
      Eigen::Quaterniond(Eigen::AngleAxisd(-0.5, Eigen::Vector3d::UnitY()));
  b.gripper_open = 0.4;
  const PoseDifference difference = Difference(a, b);
  EXPECT_NEAR(difference.position_mm(), 5, 1e-12);
  EXPECT_NEAR(difference.rotation_rad, 0.5, 1e-12);
  EXPECT_NEAR(difference.rotation_deg(), 0.5 * 180 / std::numbers::pi, 1e-10);
  EXPECT_FALSE(difference.is_same_gripper);
  b.gripper_open = 0.6;
  EXPECT_TRUE(Difference(a, b).is_same_gripper);
}

}  // namespace
}  // namespace aim
