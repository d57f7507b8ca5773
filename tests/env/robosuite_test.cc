// A real robosuite, where scripts/setup --robosuite has installed it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "aim/base/log.h"
#include "aim/env/child_env.h"
#include "support/python.h"
#include "support/source_dir.h"

namespace aim {
namespace {

class RobosuiteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kWarning);
    const std::string python = testing::PythonWith("mujoco", ".venv-robosuite");
    if (python.empty()) GTEST_SKIP() << "no .venv-robosuite: scripts/setup --robosuite";
    setenv("AIM_ROBOSUITE_ROBOTS", "Panda,UR5e", 1);
    env_ =
        StartChildEnv({.name = "robosuite",
                       .command = {python, testing::SourceDir() / "scripts/env/robosuite_env.py"}},
                      {.image_size = 64, .frame_period_s = 0.12});
  }

  std::unique_ptr<Env> env_;
};

double Mean(const std::vector<uint8_t>& rgb) {
  double sum = 0;
  for (const uint8_t value : rgb) sum += value;
  return sum / static_cast<double>(rgb.size());
}

// The start has verified that the gripper is where the cameras show it.
TEST_F(RobosuiteTest, TheScriptedLiftSolvesItsScene) {
  const Demonstration demo = env_->Demo("Lift", 0, 11);
  EXPECT_TRUE(demo.success);
  ASSERT_EQ(demo.clip.views.size(), 2u);
  EXPECT_EQ(demo.clip.prompt, "lift the red cube");
  ASSERT_EQ(demo.clip.poses.size(), demo.commands.size());
  // Tracking: what was commanded is reached within a frame or two.
  for (size_t i = 2; i < demo.commands.size(); ++i) {
    EXPECT_LE(Difference(demo.commands[i], demo.clip.poses[i]).position_mm(), 60) << i;
  }
  EXPECT_LE(Difference(demo.commands.back(), demo.clip.poses.back()).position_mm(), 15);
  EXPECT_LE(Difference(demo.commands.back(), demo.clip.poses.back()).rotation_deg(), 5);
  for (const ClipView& view : demo.clip.views) {
    EXPECT_GT(Mean(view.rgb), 20);
    for (const ToolPose& pose : demo.clip.poses) {
      const auto seen = Project(view.camera.at(0), pose.world_from_tool.translation);
      ASSERT_TRUE(seen);
      EXPECT_TRUE(seen->uv.minCoeff() >= 0 && seen->uv.maxCoeff() <= 64);
    }
  }
}

// The same gripper on another arm.
TEST_F(RobosuiteTest, AnotherRobotHasTasksOfItsOwn) {
  EXPECT_THAT(env_->Tasks(), ::testing::IsSupersetOf({"Lift", "Stack", "Lift_UR5e"}));
  EXPECT_THAT(env_->Identity().simulator, ::testing::StartsWith("robosuite 1.5."));
  EXPECT_EQ(env_->Identity().settings.at("AIM_ROBOSUITE_ROBOTS"), "Panda,UR5e");
  EXPECT_EQ(env_->Identity().settings.at("AIM_ROBOSUITE_VIEWS"), "front,side");
  const Demonstration demo = env_->Demo("Lift_UR5e", 0, 11);
  EXPECT_TRUE(demo.success);
  EXPECT_NE(demo.clip.views[0].rgb, env_->Reset("Lift", 0, 11).clip.views[0].rgb);
}

TEST_F(RobosuiteTest, ASeedIsAScene) {
  const Observation first = env_->Reset("Lift", 0, 5);
  env_->Reset("Lift", 0, 6);
  const Observation again = env_->Reset("Lift", 0, 5);
  EXPECT_EQ(again.clip.views[0].rgb, first.clip.views[0].rgb);
  EXPECT_EQ(ToNumbers(again.tool()), ToNumbers(first.tool()));
  EXPECT_NE(env_->Reset("Lift", 0, 6).clip.views[0].rgb, first.clip.views[0].rgb);
}

TEST_F(RobosuiteTest, MovedCamerasAreWhereTheyAreSaidToBe) {
  env_->PlaceCameras({.moved_deg = 25, .views = {}});
  const Observation seen = env_->Reset("Lift", 0, 5);
  EXPECT_GT(Mean(seen.clip.views[0].rgb), 20);
  ToolPose outside = seen.tool();
  outside.world_from_tool.translation.z() = 0.2;
  EXPECT_EQ(env_->Step(outside).outcome, StepOutcome::kBoundary);
}

}  // namespace
}  // namespace aim
