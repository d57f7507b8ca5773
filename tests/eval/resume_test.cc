// Rollouts that go on with what was played.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "aim/base/error.h"
#include "eval/point_rollout.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::PointFaults;
using testing::RolloutTest;
using testing::SmallOptions;

namespace fs = std::filesystem;

using ResumeTest = RolloutTest;

// Stopped after some trials and continued, a rollout ends as if it had never stopped.
TEST_F(ResumeTest, ResumeContinuesAnInterruptedRun) {
  RolloutOptions options = SmallOptions("replay");
  Roll("whole", options);
  bool broken = true;
  int num_resets = 0;
  PointFaults faults;
  faults.on_reset = [&](const std::string& task, uint64_t seed) {
    ++num_resets;
    if (broken && task == "stay" && seed == 1000002) throw InternalError("pulled the plug");
  };
  EXPECT_THROW(Roll("stopped", options, faults), InternalError);
  EXPECT_FALSE(fs::exists(folder_ / "stopped/episodes.csv"));
  broken = false;
  num_resets = 0;
  Roll("stopped", options, faults, true);
  EXPECT_EQ(Text("stopped/episodes.csv"), Text("whole/episodes.csv"));
  EXPECT_LE(num_resets, 3 * 5);  // three trials, not eight
}

TEST_F(ResumeTest, ResumeRefusesOtherSettingsButTakesMoreEpisodes) {
  RolloutOptions options = SmallOptions("replay");
  Roll("a", options);
  options.episodes = 5;
  EXPECT_EQ(Roll("a", options, {}, true)["num_trials"], 10);
  options.replan = 3;
  try {
    Roll("a", options, {}, true);
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("replan is 3; expected 0, as in the run"));
  }
}

// A stored trial that is not the one that its name says is no result of this rollout.
TEST_F(ResumeTest, ATrialOfAnotherSceneIsRefused) {
  const RolloutOptions options = SmallOptions("replay");
  Roll("a", options);
  const fs::path file = folder_ / "a/trials/reach_1.json";
  const nlohmann::json own = nlohmann::json::parse(Text("a/trials/reach_1.json"));
  const auto resume_with = [&](const char* key, const nlohmann::json& value,
                               const std::vector<std::string>& words) {
    nlohmann::json other = own;
    other[key] = value;
    WriteFileAtomic(file, other.dump());
    ExpectThrowsWith<FormatError>([&] { Roll("a", options, {}, true); }, words);
  };
  resume_with("seed", 77, {"reach_1.json", "variation 1, seed 77", "variation 1, seed 1000001"});
  resume_with("variation", 0, {"reach_1.json", "variation 0", "variation 1"});
  resume_with("trial", 3, {"reach_1.json is reach trial 3", "reach trial 1", "--resume"});
  resume_with("cameras", "moved:5", {"reach trial 1 with cameras moved:5"});
  WriteFileAtomic(file, own.dump());
  EXPECT_EQ(Roll("a", options, {}, true)["num_trials"], 8);
}

// A simulator of another version, or chosen to be another one, is another experiment.
TEST_F(ResumeTest, WhatTheSimulatorIsBelongsToTheSettings) {
  RolloutOptions options = SmallOptions("replay");
  PointFaults faults;
  faults.identity.settings = {{"AIM_POINT_VIEWS", "front,side"}};
  const nlohmann::json report = Roll("a", options, faults);
  EXPECT_EQ(report["run"]["simulator"], "point 1.0");
  EXPECT_EQ(report["run"]["AIM_POINT_VIEWS"], "front,side");
  options.episodes = 5;
  EXPECT_EQ(Roll("a", options, faults, true)["num_trials"], 10);
  PointFaults other = faults;
  other.identity.settings = {{"AIM_POINT_VIEWS", "front,top"}};
  ExpectThrowsWith<ConfigError>(
      [&] { Roll("a", options, other, true); },
      {"AIM_POINT_VIEWS is \"front,top\"", "\"front,side\", as in the run"});
  other.identity.settings.clear();
  ExpectThrowsWith<ConfigError>([&] { Roll("a", options, other, true); },
                                {"AIM_POINT_VIEWS is nothing", "\"front,side\""});
  other = faults;
  other.identity.simulator = "point 2.0";
  ExpectThrowsWith<ConfigError>([&] { Roll("a", options, other, true); },
                                {"simulator is \"point 2.0\"", "\"point 1.0\""});
}

}  // namespace
}  // namespace aim
