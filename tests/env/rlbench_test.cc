// scripts/env/rlbench_env.py over tests/env/rlbench_stub, which has RLBench's interface, errors and
// conventions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/env/child_env.h"
#include "env/shifted.h"
#include "support/python.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::Shifted;

// A Python with numpy, whichever environment there is.
std::string NumpyPython() {
  for (const char* environment : {".venv-interop", ".venv-robosuite"}) {
    const std::string python = testing::PythonWith("numpy", environment);
    if (!python.empty()) return python;
  }
  return "";
}

class RlbenchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kError);
    python_ = NumpyPython();
    if (python_.empty()) GTEST_SKIP() << "no Python with numpy: scripts/setup --interop";
    setenv("COPPELIASIM_ROOT", folder_.path().c_str(), 1);
    setenv("DISPLAY", ":99", 1);
    setenv("PYTHONPATH", (testing::SourceDir() / "tests/env/rlbench_stub").c_str(), 1);
  }
  void TearDown() override {
    for (const char* name :
         {"COPPELIASIM_ROOT", "DISPLAY", "PYTHONPATH", "AIM_RLBENCH_ARM", "AIM_RLBENCH_VIEWS"}) {
      unsetenv(name);
    }
  }

  std::unique_ptr<Env> Start(double frame_period_s = 0.2) const {
    return StartChildEnv(
        {.name = "rlbench",
         .command = {python_, testing::SourceDir() / "scripts/env/rlbench_env.py"}},
        {.image_size = 64, .frame_period_s = frame_period_s});
  }

  testing::TemporaryFolder folder_;
  std::string python_;
};

TEST_F(RlbenchTest, TheDemonstrationOfASeedSolvesItsScene) {
  const auto env = Start();
  EXPECT_EQ(env->Tasks(), (std::vector<std::string>{"open_safe", "reach_target", "turn_wheel"}));
  EXPECT_EQ(env->NumVariations("reach_target"), 20);
  EXPECT_EQ(env->NumVariations("open_safe"), 4);
  EXPECT_EQ(env->NumVariations("turn_wheel"), 1);  // it says none
  const Demonstration plan = env->Plan("reach_target", 2, 7);
  EXPECT_EQ(plan.commands.size(), 11u);  // 41 frames at 20 Hz, every fourth
  EXPECT_EQ(plan.clip.prompt, "reach the lime target");
  const Demonstration demo = env->Demo("reach_target", 2, 7);
  EXPECT_TRUE(demo.success);
  EXPECT_EQ(demo.clip.views[0].rgb.size(), 11u * 64 * 64 * 3);
}

TEST_F(RlbenchTest, ASeedIsAScene) {
  const auto env = Start();
  const Observation first = env->Reset("reach_target", 0, 7);
  const Observation other = env->Reset("reach_target", 0, 8);
  EXPECT_NE(first.clip.views[1].rgb, other.clip.views[1].rgb);
  for (uint64_t seed = 9; seed < 14; ++seed) env->Reset("reach_target", 0, seed);
  EXPECT_EQ(env->Reset("reach_target", 0, 7).clip.views[1].rgb, first.clip.views[1].rgb);
  EXPECT_EQ(Start()->Reset("reach_target", 0, 7).clip.views[1].rgb, first.clip.views[1].rgb);
}

// Masks are float32: a handle that is not found in them would leave the cameras unchecked.
TEST_F(RlbenchTest, TheGripperIsFoundInTheMasks) {
  std::string warnings;
  SetLogLevel(LogLevel::kWarning);
  SetLogSink([&](LogLevel, const std::string& message) { warnings += message; });
  Start()->Reset("reach_target", 0, 7);
  SetLogSink(nullptr);
  EXPECT_EQ(warnings, "");
}

// RLBench has unloaded the task before when it finds that the next cannot be loaded.
TEST_F(RlbenchTest, ATaskThatCannotBeLoadedCostsNoOtherTask) {
  const auto env = Start();
  const Observation first = env->Reset("reach_target", 0, 7);
  ExpectThrowsWith<IoError>([&] { env->Reset("turn_wheel", 0, 7); }, {"turn_wheel.ttm"});
  EXPECT_EQ(env->Reset("reach_target", 0, 7).clip.views[1].rgb, first.clip.views[1].rgb);
}

TEST_F(RlbenchTest, PlanningAndIkRefuseInTheirOwnWays) {
  {
    const auto env = Start();
    const ToolPose start = env->Reset("reach_target", 0, 7).tool();
    EXPECT_EQ(env->Step(Shifted(start, 0, 0, 1)).outcome, StepOutcome::kBoundary);
    EXPECT_EQ(env->Step(Shifted(start, 0.75, 0, 0)).outcome, StepOutcome::kPlanningFailure);
    const StepResult moved = env->Step(Shifted(start, 0, 0, -0.4));
    EXPECT_EQ(moved.outcome, StepOutcome::kMoved);
    // As long as the motion takes: twenty steps of 0.05 s.
    EXPECT_NEAR(moved.observation.time_s, 1.0, 1e-9);
  }
  setenv("AIM_RLBENCH_ARM", "ik", 1);
  const auto env = Start();
  EXPECT_EQ(env->Identity().settings,
            (std::map<std::string, std::string>{{"AIM_RLBENCH_ARM", "ik"},
                                                {"AIM_RLBENCH_VIEWS", "front,overhead"}}));
  const ToolPose start = env->Reset("reach_target", 0, 7).tool();
  EXPECT_EQ(env->Step(Shifted(start, 0, 0, -0.4)).outcome, StepOutcome::kIkFailure);
  EXPECT_EQ(env->Step(Shifted(start, 0, 0, -0.1)).outcome, StepOutcome::kMoved);
}

// RLBench compares the length of a quaternion with 1 within 1e-5, and rounds what is not 0 or 1.
TEST_F(RlbenchTest, PosesOfFinitePrecisionArriveExactly) {
  const auto env = Start();
  ToolPose target = Shifted(env->Reset("reach_target", 0, 7).tool(), 0, 0, -0.1);
  target.world_from_tool.rotation.coeffs() *= 1 + 5e-4;
  target.gripper_open = 0.3;
  const StepResult closed = env->Step(target);
  EXPECT_EQ(closed.outcome, StepOutcome::kMoved);
  EXPECT_EQ(closed.observation.tool().gripper_open, 0);
}

TEST_F(RlbenchTest, CamerasAreChosenAndMoved) {
  setenv("AIM_RLBENCH_VIEWS", "overhead,left_shoulder,front", 1);
  const auto env = Start();
  const Observation usual = env->Reset("reach_target", 0, 7);
  ASSERT_EQ(usual.clip.views.size(), 3u);
  EXPECT_EQ(usual.clip.views[1].camera.name, "left_shoulder");
  EXPECT_NEAR(usual.clip.views[2].camera.at(0).fx, 32 / std::tan(30 * kDegree), 1e-9);
  env->PlaceCameras({.moved_deg = 20, .views = {}});
  const Observation moved = env->Reset("reach_target", 0, 7);
  EXPECT_NE(moved.clip.views[2].rgb, usual.clip.views[2].rgb);
  env->PlaceCameras({});
  EXPECT_EQ(env->Reset("reach_target", 0, 7).clip.views[2].rgb, usual.clip.views[2].rgb);
  EXPECT_EQ(env->RenderReport(1, 96).size(), 96u * 96 * 3);
}

TEST_F(RlbenchTest, WhatIsMissingIsOneSentence) {
  ExpectThrowsWith<IoError>([&] { Start()->Plan("open_safe", 0, 1); },
                            {"demonstration of open_safe", "Could not collect demos",
                             "Could not get a path for waypoint 1"});
  ExpectThrowsWith<ConfigError>([&] { Start(0.12); }, {"--frame-period-s", "0.12", "0.1"});
  setenv("AIM_RLBENCH_VIEWS", "front,back", 1);
  ExpectThrowsWith<ConfigError>([&] { Start(); }, {"AIM_RLBENCH_VIEWS", "'back'"});
  unsetenv("AIM_RLBENCH_VIEWS");
  setenv("AIM_RLBENCH_ARM", "legs", 1);
  ExpectThrowsWith<ConfigError>([&] { Start(); },
                                {"AIM_RLBENCH_ARM", "'legs'", "expected of planning, ik"});
  unsetenv("PYTHONPATH");
  ExpectThrowsWith<ConfigError>([&] { Start(); }, {"No module named", "rlbench_setup.sh"});
  unsetenv("COPPELIASIM_ROOT");
  ExpectThrowsWith<ConfigError>([&] { Start(); }, {"COPPELIASIM_ROOT", "CoppeliaSim 4.1"});
}

}  // namespace
}  // namespace aim
