// Rollouts with several simulators at once: the files are those of one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>

#include "aim/base/error.h"
#include "aim/env/child_env.h"
#include "eval/point_rollout.h"
#include "eval/timeless.h"
#include "support/source_dir.h"

namespace aim {
namespace {

using testing::ExpectSameRollout;
using ::testing::HasSubstr;
using testing::Lines;
using testing::PointEnv;
using testing::PointFaults;
using testing::RolloutTest;
using testing::SmallOptions;

namespace fs = std::filesystem;

class WorkersTest : public RolloutTest {};

// Holds the first trial of "reach" back until its third is begun.
class HeldBack {
 public:
  PointFaults Faults() {
    PointFaults faults;
    faults.on_reset = [this](const std::string& task, uint64_t seed) {
      std::unique_lock lock(mutex_);
      if (task == "reach" && seed == 1000002) is_third_begun_ = true;
      begun_.notify_all();
      const bool is_first = task == "reach" && seed == 1000000;
      if (is_first && !begun_.wait_for(lock, kPatience, [this] { return is_third_begun_; })) {
        was_overtaken_ = false;
      }
    };
    return faults;
  }
  bool was_overtaken() const { return was_overtaken_; }

 private:
  static constexpr std::chrono::seconds kPatience{20};  // and then the test fails
  std::mutex mutex_;
  std::condition_variable begun_;
  bool is_third_begun_ = false;
  bool was_overtaken_ = true;
};

TEST_F(WorkersTest, TheirNumberChangesNothing) {
  RolloutOptions options = SmallOptions("model");
  options.num_videos = 2;
  options.picture_size = 32;
  options.cameras = {"as-trained", "moved:20"};
  Roll("one", options);
  for (const int workers : {2, 3, 100}) {
    options.workers = workers;
    HeldBack held_back;
    const std::string name = std::to_string(workers);
    Roll(name, options, held_back.Faults());
    EXPECT_TRUE(held_back.was_overtaken());
    ExpectSameRollout(folder_ / "one", folder_ / name);
  }
}

TEST_F(WorkersTest, EachHasASimulatorAndAPolicyOfItsOwn) {
  RolloutOptions options = SmallOptions("model");
  options.workers = 3;
  std::atomic<int> num_envs{0};
  std::atomic<int> num_policies{0};
  HeldBack held_back;  // so that no worker plays all alone
  RolloutParts parts = Parts(held_back.Faults());
  parts.make_env = [&, make = parts.make_env](const EnvOptions& env_options) {
    ++num_envs;
    return make(env_options);
  };
  parts.make_model_policy = [&, make = parts.make_model_policy] {
    ++num_policies;
    return make();
  };
  RunContext run = Context("a");
  ASSERT_TRUE(RunRollout(options, run, parts));
  EXPECT_GE(num_envs, 2);
  EXPECT_LE(num_envs, 3);
  EXPECT_EQ(num_envs, num_policies);
}

// A simulator that is lost costs its trial a second try, and the others nothing.
TEST_F(WorkersTest, ALostSimulatorConcernsItsTrialAlone) {
  RolloutOptions options = SmallOptions("replay");
  Roll("whole", options);
  options.workers = 3;
  std::atomic<int> num_tries{0};
  PointFaults faults;
  faults.on_reset = [&](const std::string& task, uint64_t seed) {
    // The demonstration is that of the trial before it, too.
    if (task == "stay" && seed == 1000004 && ++num_tries <= 2) {
      throw IoError({"simulator", "gone", "alive", ""});
    }
  };
  const nlohmann::json report = Roll("lost", options, faults);
  EXPECT_EQ(report["num_reruns"], 1);
  ASSERT_EQ(report["invalid"].size(), 1u);
  EXPECT_EQ(report["invalid"][0]["seed"], 1000003);
  std::vector<std::string> lines = Lines(Text("lost/episodes.csv"));
  std::vector<std::string> whole = Lines(Text("whole/episodes.csv"));
  lines.pop_back();
  whole.pop_back();
  EXPECT_EQ(lines, whole);
}

TEST_F(WorkersTest, AnErrorOfTheOptionsEndsThemAll) {
  RolloutOptions options = SmallOptions("replay");
  options.workers = 2;
  PointFaults faults;
  faults.on_reset = [](const std::string& task, uint64_t) {
    if (task == "stay") throw ConfigError({"--task", "stay", "another", ""});
  };
  EXPECT_THROW(Roll("a", options, faults), ConfigError);
  EXPECT_FALSE(fs::exists(folder_ / "a/report.json"));
}

// The same in processes of their own, one of which dies in the middle of a trial.
TEST_F(WorkersTest, ADeadChildIsStartedAgainBesideTheOthers) {
  RolloutOptions options = SmallOptions("replay");
  options.task = {"reach"};
  options.frame_period_s = 0.1;
  options.image_size = 32;
  const auto roll = [&](const std::string& name, const std::vector<std::string>& faults) {
    RolloutParts parts;
    parts.make_env = [&](const EnvOptions& env_options) {
      ChildOptions child{.name = "fake",
                         .command = {"python3", testing::SourceDir() / "tests/env/fake_env.py"}};
      child.command.insert(child.command.end(), faults.begin(), faults.end());
      return StartChildEnv(child, env_options);
    };
    RunContext run = Context(name);
    return ToJson(RunRollout(options, run, parts).value());
  };
  roll("whole", {});
  options.workers = 2;
  const nlohmann::json report =
      roll("lost", {"crash-on-step", "25", (folder_ / "crashed").string()});
  EXPECT_EQ(report["num_reruns"], 1);
  EXPECT_EQ(Text("lost/episodes.csv"), Text("whole/episodes.csv"));
}

// What was begun is finished; the rest is played later, and all is as if it had never stopped.
TEST_F(WorkersTest, ARequestToStopKeepsWhatWasPlayed) {
  RolloutOptions options = SmallOptions("replay");
  options.num_videos = 1;
  options.picture_size = 32;
  Roll("whole", options);
  for (const int workers : {1, 3}) {
    options.workers = workers;
    const std::string name = "stopped" + std::to_string(workers);
    RunContext run = Context(name);
    PointFaults faults;
    faults.on_reset = [&](const std::string& task, uint64_t seed) {
      if (task == "stay" && seed == 1000001) run.RequestStop();
    };
    EXPECT_FALSE(RunRollout(options, run, Parts(faults)));
    EXPECT_TRUE(run.unfinished());
    EXPECT_TRUE(fs::exists(folder_ / name / "trials/stay_0.json"));
    EXPECT_FALSE(fs::exists(folder_ / name / "trials/stay_3.json"));
    EXPECT_FALSE(fs::exists(folder_ / name / "report.json"));
    run.CommitOut();  // gives up its claim, as the end of the process does
    Roll(name, options, {}, true);
    ExpectSameRollout(folder_ / "whole", folder_ / name);
  }
}

}  // namespace
}  // namespace aim
