#include "aim/env/child_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/env/simulator.h"
#include "env/calibration_check.h"
#include "support/case_name.h"
#include "support/fork.h"
#include "support/matchers.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::PixelNear;

// tests/env/fake_env.py with these faults.
ChildOptions FakeChild(const std::vector<std::string>& faults, double timeout_s = 60) {
  ChildOptions child{.name = "fake",
                     .command = {"python3", testing::SourceDir() / "tests/env/fake_env.py"},
                     .start_timeout_s = timeout_s,
                     .reply_timeout_s = timeout_s};
  child.command.insert(child.command.end(), faults.begin(), faults.end());
  return child;
}

std::unique_ptr<Env> Start(const std::vector<std::string>& faults = {}, double timeout_s = 60) {
  return StartChildEnv(FakeChild(faults, timeout_s), {.image_size = 48, .frame_period_s = 0.1});
}

class ChildEnvTest : public ::testing::Test {
 protected:
  ChildEnvTest() { SetLogLevel(LogLevel::kError); }

  testing::TemporaryFolder folder_;
};

ToolPose Toward(const Eigen::Vector3d& tip) {
  ToolPose pose;
  pose.world_from_tool = {Eigen::Quaterniond(0, 1, 0, 0), tip};
  return pose;
}

// Where the picture is white: the fake's gripper.
Eigen::Vector2d WhiteMiddle(const ClipView& view, int size) {
  Eigen::Vector2d sum(0, 0);
  int count = 0;
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      if (view.rgb[static_cast<size_t>(3 * (row * size + column) + 1)] != 255) continue;
      sum += Eigen::Vector2d(column + 0.5, row + 0.5);
      ++count;
    }
  }
  return sum / count;
}

TEST_F(ChildEnvTest, SaysWhatItsScriptDeclares) {
  const auto env = Start();
  EXPECT_EQ(env->Tasks(), (std::vector<std::string>{"reach", "impossible"}));
  EXPECT_EQ(env->NumVariations("reach"), 2);
  EXPECT_EQ(env->FramesWithoutExpert("reach"), 0);
  EXPECT_EQ(Start({"no-expert"})->FramesWithoutExpert("reach"), 12);
}

// What it was chosen to be is part of what it is: the usual as well as what was asked for.
TEST_F(ChildEnvTest, SaysWhatItWasChosenToBe) {
  const EnvIdentity usual = Start()->Identity();
  EXPECT_EQ(usual.simulator, "fake 1.0");
  EXPECT_EQ(usual.settings, (std::map<std::string, std::string>{{"AIM_FAKE_TABLE", "oak"}}));
  setenv("AIM_FAKE_TABLE", "steel", 1);
  EXPECT_EQ(Start()->Identity().settings.at("AIM_FAKE_TABLE"), "steel");
  setenv("AIM_FAKE_TABLE", "glass", 1);
  ExpectThrowsWith<ConfigError>([] { Start(); }, {"AIM_FAKE_TABLE", "'glass'", "oak, steel"});
  unsetenv("AIM_FAKE_TABLE");
}

// A script whose expert moves the arm, and one whose expert does not: the same demonstration.
TEST_F(ChildEnvTest, ADemonstrationBeginsWhereTheResetHasPutTheArm) {
  const auto moving = Start();
  const auto thinking = Start({"plans-at-start"});
  const Demonstration first = moving->Demo("reach", 1, 7);
  const Demonstration second = thinking->Demo("reach", 1, 7);
  EXPECT_EQ(first.clip.views[0].rgb, second.clip.views[0].rgb);
  EXPECT_EQ(ToNumbers(first.clip.poses.front()), ToNumbers(second.clip.poses.front()));
  moving->Plan("reach", 1, 7);
  ExpectThrowsWith<IoError>([&] { moving->Step(first.commands[1]); }, {"a reset"});
  thinking->Plan("reach", 1, 7);
  EXPECT_EQ(thinking->Step(first.commands[1]).outcome, StepOutcome::kMoved);
}

TEST_F(ChildEnvTest, TheExpertsCommandsSolveTheSceneOfTheSameSeed) {
  const auto env = Start();
  const Demonstration plan = env->Plan("reach", 1, 7);
  ASSERT_EQ(plan.commands.size(), 11u);
  EXPECT_FALSE(plan.success);
  const Observation start = env->Reset("reach", 1, 7);
  EXPECT_EQ(start.clip.prompt, "reach goal 1");
  EXPECT_EQ(start.clip.views[0].rgb, plan.clip.views[0].rgb);
  EXPECT_NE(start.clip.views[0].rgb, env->Reset("reach", 1, 8).clip.views[0].rgb);

  env->Reset("reach", 1, 7);
  StepResult last;
  for (size_t i = 1; i < plan.commands.size(); ++i) {
    EXPECT_FALSE(env->Success());
    last = env->Step(plan.commands[i]);
    EXPECT_EQ(last.outcome, StepOutcome::kMoved);
  }
  EXPECT_TRUE(env->Success());
  EXPECT_NEAR(last.observation.time_s, 1.0, 1e-9);

  const Demonstration demo = env->Demo("reach", 1, 7);
  EXPECT_TRUE(demo.success);
  EXPECT_EQ(demo.clip.views[1].num_frames, 11);
  EXPECT_EQ(demo.clip.views[1].rgb.size(), 11u * 48 * 48 * 3);
  EXPECT_EQ(demo.clip.poses.size(), 11u);
}

// In either convention the projected tip is where the picture shows it.
TEST_F(ChildEnvTest, CamerasAreConvertedAtTheBorder) {
  for (const auto& faults : std::vector<std::vector<std::string>>{{}, {"rlbench"}}) {
    const Observation seen = Start(faults)->Reset("reach", 0, 3);
    for (const ClipView& view : seen.clip.views) {
      const auto projected = Project(view.camera.at(0), seen.tool().world_from_tool.translation);
      ASSERT_TRUE(projected);
      EXPECT_THAT(projected->uv, PixelNear(WhiteMiddle(view, 48), 1.0));
    }
  }
}

TEST_F(ChildEnvTest, RefusedTargetsSayWhy) {
  const auto env = Start();
  env->Reset("reach", 0, 3);
  const Eigen::Vector3d start =
      env->Step(Toward({0, 0.1, 0.3})).observation.tool().world_from_tool.translation;
  EXPECT_EQ(env->Step(Toward({2, 0, 0.3})).outcome, StepOutcome::kBoundary);
  EXPECT_EQ(env->Step(Toward({0, 0, 0.95})).outcome, StepOutcome::kPlanningFailure);
  EXPECT_EQ(env->Step(Toward({0.95, 0, 0.3})).outcome, StepOutcome::kIkFailure);
  const StepResult last = env->Step(Toward({0, 0.95, 0.3}));
  EXPECT_EQ(last.outcome, StepOutcome::kInvalidAction);
  EXPECT_EQ(last.observation.tool().world_from_tool.translation, start);
}

// The lost trial fails; the next reset starts another simulator, with the same scene.
TEST_F(ChildEnvTest, ALostSimulatorIsStartedAgain) {
  for (const auto& [fault, words] : {std::pair("crash-on-step", "ended with exit code 4"),
                                     std::pair("hang-on-step", "without an answer in time"),
                                     std::pair("spoil-on-step", "RuntimeError: the arm has")}) {
    const std::string mark = (folder_ / fault).string();
    const auto env = Start({fault, "2", mark}, 5);
    const Observation before = env->Reset("reach", 0, 3);
    env->Step(Toward({0, 0.1, 0.3}));
    ExpectThrowsWith<IoError>([&] { env->Step(Toward({0, 0.1, 0.3})); }, {"fake: a step", words});
    ExpectThrowsWith<IoError>([&] { env->Step(Toward({0, 0.1, 0.3})); }, {"not in a trial"});
    EXPECT_EQ(env->Reset("reach", 0, 3).clip.views[1].rgb, before.clip.views[1].rgb);
    for (int i = 0; i < 3; ++i) env->Step(Toward({0, 0.1, 0.3}));
  }
}

// A shell stands between aim and the simulator, as xvfb-run does. The pipe is open as long as any
// of the three lives.
TEST_F(ChildEnvTest, ASimulatorThatHangsEndsWithAnAimThatIsKilled) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string mark = (folder_ / "hangs").string();
  const pid_t aim = testing::Fork([&] {
    ChildOptions child = FakeChild({"hang-on-step", "1", mark});
    const std::vector<std::string> shell = {"/bin/sh", "-c", "\"$@\"; exit $?", "sh"};
    child.command.insert(child.command.begin(), shell.begin(), shell.end());
    const auto env = StartChildEnv(child, {.image_size = 48, .frame_period_s = 0.1});
    env->Reset("reach", 0, 3);
    env->Step(Toward({0, 0.1, 0.3}));
  });
  close(ends[1]);
  pollfd lives{.fd = ends[0], .events = 0, .revents = 0};
  while (!std::filesystem::exists(mark)) ASSERT_EQ(poll(&lives, 1, 10), 0) << "none hangs";
  kill(aim, SIGKILL);
  testing::WaitFor(aim);
  EXPECT_EQ(poll(&lives, 1, 60'000), 1) << "the simulator lives on";
  close(ends[0]);
}

// A start that fails costs one trial, not all that come after it.
TEST_F(ChildEnvTest, ASimulatorThatDoesNotOpenAgainIsStartedOnceMore) {
  const std::string mark = (folder_ / "crashed").string();
  const auto env =
      Start({"crash-on-step", "1", mark, "reopens-twice", (folder_ / "starts").string()});
  env->Reset("reach", 0, 3);
  ExpectThrowsWith<IoError>([&] { env->Step(Toward({0, 0.1, 0.3})); }, {"exit code 4"});
  ExpectThrowsWith<IoError>([&] { env->Reset("reach", 0, 3); }, {"no display just now"});
  env->Reset("reach", 0, 3);
  env->Step(Toward({0, 0.1, 0.3}));
}

TEST_F(ChildEnvTest, ATrialThatCannotBeginLeavesTheSimulatorAsItIs) {
  const auto env = Start();
  ExpectThrowsWith<IoError>([&] { env->Reset("impossible", 0, 1); },
                            {"fake: the reset to impossible", "no place for the cup"});
  EXPECT_EQ(env->Reset("reach", 0, 3).clip.views.size(), 2u);
}

// About the centre of the simulator's scenes, or of the task's own.
TEST_F(ChildEnvTest, CamerasAreMovedAboutTheScene) {
  for (const auto& [faults, centre] :
       {std::pair(std::vector<std::string>{}, Eigen::Vector3d(0, 0, 0.2)),
        std::pair(std::vector<std::string>{"own-centre"}, Eigen::Vector3d(0.1, 0, 0.05))}) {
    const auto env = Start(faults);
    const Observation usual = env->Reset("reach", 0, 3);
    env->PlaceCameras({.moved_deg = 30, .views = {}});
    const Observation moved = env->Reset("reach", 0, 3);
    const Observation again = env->Reset("reach", 0, 3);
    for (size_t i = 0; i < 2; ++i) {
      const Camera& from = usual.clip.views[i].camera.at(0);
      const Camera& to = moved.clip.views[i].camera.at(0);
      EXPECT_EQ(to.world_from_camera.translation,
                again.clip.views[i].camera.at(0).world_from_camera.translation);
      const Eigen::Vector3d a = (from.world_from_camera.translation - centre).normalized();
      const Eigen::Vector3d b = (to.world_from_camera.translation - centre).normalized();
      EXPECT_NEAR(std::acos(a.dot(b)) / kDegree, 30, 1e-6);
      EXPECT_THAT(Project(to, moved.tool().world_from_tool.translation)->uv,
                  PixelNear(WhiteMiddle(moved.clip.views[i], 48), 1.0));
    }
  }
}

TEST_F(ChildEnvTest, CamerasArePlaced) {
  const auto env = Start();
  const Observation usual = env->Reset("reach", 0, 3);
  CameraWish wish{.moved_deg = 0, .views = CamerasOf(usual.clip)};
  wish.views[0].name = "right";
  wish.views[1].name = "left";
  env->PlaceCameras(wish);
  EXPECT_EQ(env->Reset("reach", 0, 3).clip.views[1].rgb, usual.clip.views[0].rgb);
  ExpectThrowsWith<ConfigError>([&] { env->PlaceCameras({.range = CameraRange::kHeldOut}); },
                                {"--cameras is held-out in fake", "embedded simulator"});
  ExpectThrowsWith<ConfigError>(
      [] { Start({"fixed-cameras"})->PlaceCameras({.moved_deg = 30, .views = {}}); },
      {"--cameras", "fake", "as-trained"});
}

struct FaultCase {
  std::string name;
  std::vector<std::string> faults;
  std::vector<std::string> words;
};

class UsageFaultTest : public ::testing::TestWithParam<FaultCase> {};

// What the user can mend ends the run.
TEST_P(UsageFaultTest, IsOneSentence) {
  SetLogLevel(LogLevel::kError);
  ExpectThrowsWith<ConfigError>([] { Start(GetParam().faults)->Reset("reach", 0, 3); },
                                GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, UsageFaultTest,
    ::testing::Values(
        FaultCase{"WrongVersion", {"wrong-version"}, {"aim-env version 1", "version 2"}},
        FaultCase{"NotInstalled", {"missing"}, {"fakesim is not installed"}},
        FaultCase{"RlbenchsAxesCalledOpencv",
                  {"mirrored"},
                  {"fake: the calibration of view left", "tip is", "pixels from", "RLBench"}},
        FaultCase{
            "OpenGlsAxesCalledOpencv", {"opengl"}, {"view left", "behind the camera", "OpenGL"}},
        FaultCase{"CameraFromWorld", {"inverted"}, {"view left", "inverted"}}),
    testing::CaseName());

// What a child says is whole; nothing that was expected is made up behind it.
TEST_F(ChildEnvTest, TheChildsOwnWordsEndTheSentence) {
  SetLogLevel(LogLevel::kError);
  try {
    Start({"missing"});
    FAIL() << "a simulator that is not installed was opened";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("is refused: fakesim is not installed"));
    EXPECT_THAT(error.what(), ::testing::Not(::testing::HasSubstr("expected")));
  }
}

class BrokenChildTest : public ::testing::TestWithParam<FaultCase> {};

TEST_P(BrokenChildTest, IsAFailureOfTheSimulator) {
  SetLogLevel(LogLevel::kError);
  ExpectThrowsWith<IoError>(
      [] {
        const auto env = Start(GetParam().faults, 5);
        env->Reset("reach", 0, 3);
        env->Step(Toward({0, 0, 0.3}));
      },
      GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, BrokenChildTest,
    ::testing::Values(
        FaultCase{"EndsAtOnce", {"crash-on-open"}, {"exit code 3", "out of licences"}},
        FaultCase{"HangsAtOnce", {"hang-on-open"}, {"opening the simulator", "in time"}},
        FaultCase{"Rubbish", {"rubbish"}, {"answered wrongly", "at byte", "aim-env 1"}},
        FaultCase{"CentreOfTwoNumbers",
                  {"flat-centre"},
                  {"opening the simulator", "tasks[0].scene_centre", "3 numbers"}},
        FaultCase{"SettingCalledAsAnOption",
                  {"option-as-setting"},
                  {"settings", "the name \"seed\"", "names of environment variables"}},
        FaultCase{
            "SettingThatIsNoText", {"number-as-setting"}, {"settings.AIM_FAKE_TABLE", "7", "text"}},
        FaultCase{"NoVariations",
                  {"no-variations"},
                  {"opening the simulator", "tasks[0].variations", "1 or more"}},
        FaultCase{"NumbersThatCannotBeSent", {"odd-number"}, {"a step", "complex"}},
        FaultCase{"DeclaresFourGigabytes", {"huge"}, {"4294967295 bytes"}},
        FaultCase{"PoseOfNoNumbers", {"bad-tool"}, {"a step", "tool", "finite numbers"}},
        FaultCase{"PictureCutShort", {"short-picture"}, {"views[0].rgb", "6911 bytes", "6912"}}),
    testing::CaseName());

TEST_F(ChildEnvTest, AGripperThatNoViewShowsCannotBeJudgedAndIsNoError) {
  EXPECT_EQ(Start({"hidden", "mirrored"})->Reset("reach", 0, 3).clip.views.size(), 2u);
}

// As an installed aim has it, wherever it was moved to: scripts in share/aim/env, and what they run
// with beside that folder. In a checkout that is two folders up.
TEST_F(ChildEnvTest, AnEnvironmentIsLookedForWhereTheScriptsAre) {
  WriteFileAtomic(folder_ / "share/aim/env/moon_env.py", "");
  WriteFileAtomic(folder_ / "share/aim/env/mars_env.py", "");
  WriteFileAtomic(folder_ / "share/aim/.venv-moon/bin/python", "");
  WriteFileAtomic(folder_ / "share/.venv-mars/bin/python", "");
  WriteFileAtomic(folder_ / "share/aim/env/venus_env.py", "");
  setenv("AIM_ENV_DIR", (folder_ / "share/aim/env").c_str(), 1);
  EXPECT_EQ(ChildOfName("moon", "").command[0], folder_ / "share/aim/.venv-moon/bin/python");
  EXPECT_EQ(ChildOfName("mars", "").command[0], folder_ / "share/.venv-mars/bin/python");
  EXPECT_EQ(ChildOfName("venus", "").command[0], "python3");
  EXPECT_EQ(ChildOfName("moon", "python3.9").command[0], "python3.9");
  EXPECT_THAT(EnvHelp(), ::testing::HasSubstr("tabletop; in a process of its own: mars, moon, "));
  unsetenv("AIM_ENV_DIR");
  EXPECT_THAT(EnvHelp(), ::testing::HasSubstr("libero, rlbench, robosuite"));
}

TEST_F(ChildEnvTest, WhatCannotBeIsRefused) {
  const ChildOptions none{.name = "none", .command = {"no-such-program-9"}};
  ExpectThrowsWith<ConfigError>([&] { StartChildEnv(none, {}); },
                                {"no-such-program-9", "--env-python"});
  const ChildOptions fake = FakeChild({});
  ExpectThrowsWith<ConfigError>([&] { StartChildEnv(fake, {.camera_raise_deg = 5}); },
                                {"--camera-raise-deg", "moved:DEG"});
  ExpectThrowsWith<ConfigError>([&] { StartChildEnv(fake, {.frame_period_s = 0.13}); },
                                {"--frame-period-s", "0.13", "0.1"});
  const auto env = Start();
  ExpectThrowsWith<ConfigError>([&] { env->Reset("reac", 0, 1); }, {"--task", "reach"});
  ExpectThrowsWith<ConfigError>([&] { Start({"no-expert"})->Plan("reach", 0, 1); },
                                {"demonstration of reach", "scripted expert"});
  ToolPose bad = Toward({0, 0, 0.3});
  bad.world_from_tool.translation.x() = std::nan("");
  env->Reset("reach", 0, 3);
  EXPECT_THROW(env->Step(bad), InputError);
  SimulatorOptions imagined;
  imagined.env = "model";
  ExpectThrowsWith<ConfigError>([&] { MakeSimulator(imagined, {}); }, {"--env", "imagines"});
  ExpectThrowsWith<ConfigError>([] { ChildOfName("robosuit", ""); },
                                {"--env", "robosuite", "tabletop"});
}

}  // namespace
}  // namespace aim
