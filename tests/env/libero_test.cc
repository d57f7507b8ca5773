// A real LIBERO, where scripts/setup --libero has installed it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/env/child_env.h"
#include "env/shifted.h"
#include "support/python.h"
#include "support/source_dir.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::Shifted;

// Its drawer is drawn open at every reset.
constexpr const char* kDrawer =
    "spatial/pick_up_the_black_bowl_in_the_top_drawer_of_the_wooden_cabinet_and_place_it_on_the_"
    "plate";
constexpr const char* kSoup = "object/pick_up_the_alphabet_soup_and_place_it_in_the_basket";

class LiberoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kError);
    python_ = testing::PythonWith("mujoco", ".venv-libero");
    if (python_.empty()) GTEST_SKIP() << "no .venv-libero: scripts/setup --libero";
    setenv("AIM_LIBERO_SUITES", "spatial,object", 1);
  }
  void TearDown() override {
    unsetenv("AIM_LIBERO_SUITES");
    unsetenv("AIM_LIBERO_VIEWS");
  }

  std::unique_ptr<Env> Start() const {
    return StartChildEnv({.name = "libero",
                          .command = {python_, testing::SourceDir() / "scripts/env/libero_env.py"}},
                         {.image_size = 64, .frame_period_s = 0.12});
  }

  std::string python_;
};

void ExpectSame(const Observation& a, const Observation& b) {
  for (size_t view = 0; view < a.clip.views.size(); ++view) {
    EXPECT_EQ(a.clip.views[view].rgb, b.clip.views[view].rgb) << view;
  }
  EXPECT_EQ(ToNumbers(a.tool()), ToNumbers(b.tool()));
}

// Bit for bit, after other scenes and in another process: furniture too, which initial states do
// not hold and which the seed places.
TEST_F(LiberoTest, TaskVariationAndSeedAreAScene) {
  const auto env = Start();
  const Observation first = env->Reset(kDrawer, 4, 11);
  const Observation moved = env->Step(Shifted(first.tool(), 0.02, 0, -0.02)).observation;
  EXPECT_NE(env->Reset(kDrawer, 5, 11).clip.views[0].rgb, first.clip.views[0].rgb);
  EXPECT_NE(env->Reset(kDrawer, 4, 12).clip.views[0].rgb, first.clip.views[0].rgb);
  for (const bool other_process : {false, true}) {
    const auto other = other_process ? Start() : nullptr;
    Env& again = other_process ? *other : *env;
    const Observation seen = again.Reset(kDrawer, 4, 11);
    ExpectSame(first, seen);
    ExpectSame(moved, again.Step(Shifted(seen.tool(), 0.02, 0, -0.02)).observation);
  }
}

// The start has verified that the gripper is where the cameras show it.
TEST_F(LiberoTest, AbsoluteTargetsAreReached) {
  const auto env = Start();
  EXPECT_EQ(env->Tasks().size(), 20u);
  EXPECT_EQ(env->NumVariations(kSoup), 50);
  EXPECT_EQ(env->FramesWithoutExpert(kSoup), 117);  // 280 steps of 0.05 s
  const Observation start = env->Reset(kSoup, 0, 3);
  EXPECT_EQ(start.clip.prompt, "pick up the alphabet soup and place it in the basket");
  ASSERT_EQ(start.clip.views.size(), 2u);
  EXPECT_EQ(start.clip.views[1].camera.name, "sideview");
  EXPECT_GT(start.tool().gripper_open, 0.9);
  ToolPose target = Shifted(start.tool(), 0.05, -0.04, -0.08);
  target.world_from_tool.rotation =
      Eigen::AngleAxisd(15 * kDegree, Eigen::Vector3d::UnitZ()) * target.world_from_tool.rotation;
  target.gripper_open = 0;
  StepResult reached;
  for (int i = 0; i < 20; ++i) reached = env->Step(target);
  EXPECT_EQ(reached.outcome, StepOutcome::kMoved);
  EXPECT_NEAR(reached.observation.time_s, 20 * 0.12, 1e-6);
  const PoseDifference off = Difference(reached.observation.tool(), target);
  EXPECT_LE(off.position_mm(), 3);
  EXPECT_LE(off.rotation_deg(), 1);
  EXPECT_LT(reached.observation.tool().gripper_open, 0.1);
  EXPECT_EQ(env->Step(Shifted(target, 0, 0, 2)).outcome, StepOutcome::kBoundary);
  EXPECT_FALSE(env->Success());
  EXPECT_EQ(env->RenderReport(1, 600).size(), 600u * 600 * 3);
}

TEST_F(LiberoTest, CamerasAreMovedAboutTheFloorToo) {
  const auto env = Start();
  const Observation usual = env->Reset(kSoup, 0, 3);
  env->PlaceCameras({.moved_deg = 25, .views = {}});
  const Observation moved = env->Reset(kSoup, 0, 3);
  for (size_t view = 0; view < 2; ++view) {
    EXPECT_NE(moved.clip.views[view].rgb, usual.clip.views[view].rgb);
    const auto seen =
        Project(moved.clip.views[view].camera.at(0), moved.tool().world_from_tool.translation);
    ASSERT_TRUE(seen);
    EXPECT_TRUE(seen->uv.minCoeff() >= 0 && seen->uv.maxCoeff() <= 64) << seen->uv;
  }
}

TEST_F(LiberoTest, OtherInstructionsAreThoseOfThePerturbedSuites) {
  setenv("AIM_LIBERO_SUITES", "goal_lan", 1);
  setenv("AIM_LIBERO_VIEWS", "wrist,agentview", 1);
  const auto env = Start();
  const Observation seen = env->Reset("goal_lan/put_the_bowl_on_the_stove", 0, 3);
  EXPECT_EQ(seen.clip.prompt, "place the bowl on the stove");
  EXPECT_EQ(seen.clip.views[0].camera.name, "wrist");
  ExpectThrowsWith<ConfigError>([&] { env->PlaceCameras({.moved_deg = 10, .views = {}}); },
                                {"--cameras", "cannot move"});
  ExpectThrowsWith<ConfigError>([&] { env->Reset("goal_lan/put_the_bowl_on_the_stove", 50, 3); },
                                {"50 initial states"});
}

TEST_F(LiberoTest, WhatIsNotThereIsOneSentence) {
  // Named by the package, which has no files of it.
  setenv("AIM_LIBERO_SUITES", "goal_env", 1);
  ExpectThrowsWith<ConfigError>([&] { Start(); }, {"AIM_LIBERO_SUITES", "'goal_env'", "goal_swap"});
  setenv("AIM_LIBERO_SUITES", "goal,goal", 1);
  ExpectThrowsWith<ConfigError>([&] { Start(); }, {"AIM_LIBERO_SUITES", "each once"});
  setenv("AIM_LIBERO_SUITES", "goal", 1);
  setenv("AIM_LIBERO_VIEWS", "agentview,left", 1);
  ExpectThrowsWith<ConfigError>([&] { Start(); }, {"AIM_LIBERO_VIEWS", "'left'", "sideview"});
}

}  // namespace
}  // namespace aim
