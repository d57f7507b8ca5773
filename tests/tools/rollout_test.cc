// aim-rollout as a user meets it: stopped, gone on with, by several workers.
#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/child_process.h"
#include "support/python.h"
#include "support/source_dir.h"

namespace aim::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<std::string> Words(const fs::path& out, const std::vector<std::string>& more) {
  std::vector<std::string> words = {
      Binary("aim-rollout"), "--policy", "still",  "--no-references", "--num-videos", "0",
      "--image-size",        "16",       "--task", "reach_target",    "--out",        out.string()};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(RolloutToolTest, CtrlCKeepsWhatWasPlayed) {
  const TemporaryFolder folder;
  const fs::path out = folder / "out";
  ChildProcess rollout(Words(out, {"--episodes", "100000", "--workers", "2"}));
  while (!fs::exists(out / "trials/reach_target_1.json")) ASSERT_TRUE(rollout.IsRunning());
  rollout.Send(SIGINT);
  const CommandResult stopped = rollout.Wait();
  EXPECT_EQ(stopped.exit_code, 128 + SIGINT) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("--resume goes on"));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(out / "run.json"))["finished"], false);
  EXPECT_FALSE(fs::exists(out / "report.json"));

  const CommandResult resumed = RunCommand(Words(out, {"--episodes", "2", "--resume"}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(nlohmann::json::parse(ReadFile(out / "report.json"))["num_trials"], 2);
}

// Recorded scenes, and what the small model imagines in them after its own plans.
TEST(RolloutToolTest, AModelImaginesWhatItsPlansLeadTo) {
  const TemporaryFolder folder;
  const std::string model = (SourceDir() / "assets/tiny").string();
  const std::string scenes = (folder / "scenes").string();
  const CommandResult made = RunCommand(
      {Binary("aim-data"), "demos", "--task", "reach_target", "--episodes", "2", "--out", scenes});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  std::vector<std::string> words = {
      Binary("aim-rollout"), "--env", "model", "--model",     model, "--replan", "8",
      "--scene-data",        scenes,  "--out", folder / "out"};
  words.insert(words.end(), {"--episodes", "2"});
  const CommandResult played = RunCommand(words);
  ASSERT_EQ(played.exit_code, 0) << played.err;
  EXPECT_THAT(played.out, HasSubstr("success: unknown"));
  const nlohmann::json report = nlohmann::json::parse(ReadFile(folder / "out/report.json"));
  const nlohmann::json& reach = report["tasks"][0];
  EXPECT_EQ(reach["n"], 2);
  // Centimetres off, not a table's width: what was imagined follows the plan.
  EXPECT_LT(reach["labelled"]["off_mm"].get<double>(), 60);
  EXPECT_LT(reach["labelled"]["undecodable"].get<double>(), 0.5);
  EXPECT_TRUE(fs::exists(folder / "out" / report["filmstrips"][0]["file"].get<std::string>()));

  // What was recorded, in a world that another bundle than the policy's imagines.
  const CommandResult replayed =
      RunCommand({Binary("aim-rollout"), "--env", "model", "--policy", "replay", "--env-model",
                  model, "--scene-data", scenes, "--episodes", "1", "--no-label-imagined",
                  "--num-videos", "0", "--out", folder / "replayed"});
  ASSERT_EQ(replayed.exit_code, 0) << replayed.err;
  const nlohmann::json recorded =
      nlohmann::json::parse(ReadFile(folder / "replayed/report.json"))["tasks"][0];
  EXPECT_EQ(recorded["to_recorded"]["position_mm"], 0.0);
  EXPECT_TRUE(recorded["labelled"].is_null());

  // Another data set under the same name is another world.
  fs::remove_all(fs::path(scenes) / "reach_target/variation1");
  words.push_back("--resume");
  const CommandResult resumed = RunCommand(words);
  EXPECT_EQ(resumed.exit_code, 2);
  EXPECT_THAT(resumed.err, HasSubstr("scene_data_content is"));
}

// configs/rollout/rlbench_zero_shot.toml over tests/env/rlbench_stub, which has one of its tasks.
TEST(RolloutToolTest, TheRlbenchConfigurationRuns) {
  std::string python;
  for (const char* environment : {".venv-interop", ".venv-robosuite"}) {
    if (python.empty()) python = PythonWith("numpy", environment);
  }
  if (python.empty()) GTEST_SKIP() << "no Python with numpy: scripts/setup --interop";
  const TemporaryFolder folder;
  setenv("COPPELIASIM_ROOT", folder.path().c_str(), 1);
  setenv("DISPLAY", ":99", 1);
  setenv("PYTHONPATH", (SourceDir() / "tests/env/rlbench_stub").c_str(), 1);
  const fs::path out = folder / "out";
  std::vector<std::string> words = {
      Binary("aim-rollout"),
      "--config",
      (SourceDir() / "configs/rollout/rlbench_zero_shot.toml").string(),
      "--policy",
      "replay",
      "--env-python",
      python,
      "--out",
      out.string(),
      "--image-size",
      "64",
      "--episodes",
      "2"};
  const CommandResult all = RunCommand(words);
  EXPECT_EQ(all.exit_code, 2);
  EXPECT_THAT(all.err, HasSubstr("--task is \"pick_up_cup\"; expected one of open_safe"));
  words.insert(words.end(), {"--task", "reach_target"});
  const CommandResult one = RunCommand(words);
  for (const char* name : {"COPPELIASIM_ROOT", "DISPLAY", "PYTHONPATH"}) unsetenv(name);
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const nlohmann::json report = nlohmann::json::parse(ReadFile(out / "report.json"));
  EXPECT_EQ(report["mean_success"], 1.0);
  EXPECT_EQ(report["run"]["frame_period_s"], 0.2);
  EXPECT_EQ(report["options"]["seed_rule"], "blake2b");
  EXPECT_EQ(report["tasks"][0]["n"], 2);
}

// The tool runs by itself, and has a command beside.
TEST(RolloutToolTest, ShardsAreMergedByACommand) {
  const TemporaryFolder folder;
  for (const char* index : {"0", "1"}) {
    const CommandResult shard = RunCommand(
        Words(folder / index, {"--episodes", "3", "--shard", std::string(index) + "/2"}));
    ASSERT_EQ(shard.exit_code, 0) << shard.err;
  }
  const std::vector<std::string> merge = {Binary("aim-rollout"), "merge", (folder / "1").string(),
                                          (folder / "0").string()};
  std::vector<std::string> words = merge;
  words.insert(words.end(), {"--out", (folder / "merged").string()});
  const CommandResult merged = RunCommand(words);
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_THAT(merged.out, HasSubstr("reach_target                 3"));
  EXPECT_TRUE(fs::exists(folder / "merged/report.html"));
  EXPECT_EQ(RunCommand(merge).exit_code, 2);  // no --out
  words.insert(words.end(), {"--episodes", "3"});
  const CommandResult refused = RunCommand(words);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--episodes is not a flag of aim-rollout merge"));
}

}  // namespace
}  // namespace aim::testing
