// aim-rollout as a user meets it: stopped, gone on with, by several workers.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/child_process.h"

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

}  // namespace
}  // namespace aim::testing
