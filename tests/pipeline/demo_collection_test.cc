#include "aim/pipeline/demo_collection.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/data/action_images.h"
#include "aim/data/data_set.h"
#include "pipeline/scripted_env.h"
#include "support/fork.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::DemoScript;
using testing::ExpectThrowsWith;
using testing::Fork;
using testing::ScriptedEnv;
using testing::TemporaryFolder;
using testing::WaitFor;

json Collect(const DemoCollectionOptions& options, const fs::path& out, DemoScript& script,
             bool resume = true) {
  CommonOptions common;
  common.out = out;
  common.resume = resume;
  RunContext run(common);
  return ToJson(RunDemoCollection(
      options, [&](const EnvOptions&) { return std::make_unique<ScriptedEnv>(script); }, run));
}

// Every file of a data set with its bytes.
std::map<std::string, std::string> Contents(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    files[entry.path().lexically_relative(root).string()] = ReadFile(entry.path());
  }
  return files;
}

TEST(DemoCollectionTest, WritesEveryEpisodeWithItsSeedAndVariation) {
  const TemporaryFolder folder;
  DemoScript script;
  const json report = Collect({.task = {"reach", "stay"}, .episodes = 5, .first_seed = 100},
                              folder / "d", script, false);
  EXPECT_EQ(report["episodes"], 10);
  EXPECT_EQ(report["written"], 10);
  EXPECT_TRUE(report["failed"].empty());
  EXPECT_EQ(report["tasks"]["stay"]["episodes"], 5);
  const DataSet data = OpenDataSet(folder / "d");
  ASSERT_EQ(data.episodes().size(), 10u);
  for (const EpisodeRef& ref : data.episodes()) {
    const Episode episode = data.Read(ref);
    EXPECT_EQ(episode.seed, 100u + static_cast<uint64_t>(ref.index));
    EXPECT_EQ(ref.variation, ref.task == "reach" ? ref.index % 2 : 0);
    EXPECT_EQ(episode.clip.poses.size(), 3u);
    EXPECT_EQ(episode.measured.size(), 3u);
    EXPECT_NE(episode.clip.poses[0].world_from_tool.translation,
              episode.measured[0].world_from_tool.translation);
  }
  EXPECT_TRUE(fs::exists(folder / "d" / "reach" / "variation1" / "variation_descriptions.json"));
}

TEST(DemoCollectionTest, TheNumberOfWorkersChangesNothing) {
  const TemporaryFolder folder;
  DemoScript script;
  Collect({.episodes = 6, .num_workers = 1}, folder / "one", script);
  Collect({.episodes = 6, .num_workers = 4}, folder / "four", script);
  EXPECT_TRUE(Contents(folder / "one") == Contents(folder / "four"));
}

TEST(DemoCollectionTest, ResumeMakesOnlyWhatIsMissing) {
  const TemporaryFolder folder;
  DemoScript first;
  const DemoCollectionOptions options{.task = {"reach"}, .episodes = 6, .num_workers = 2};
  Collect(options, folder / "d", first);
  const auto whole = Contents(folder / "d");
  fs::remove_all(EpisodeFolder(folder / "d", "reach", 1, 3));
  DemoScript second;
  const json report = Collect(options, folder / "d", second);
  EXPECT_EQ(report["written"], 1);
  EXPECT_EQ(report["existing"], 5);
  EXPECT_EQ(second.made, (std::map<std::string, int>{{"reach/1/3", 1}}));
  EXPECT_TRUE(Contents(folder / "d") == whole);
  ExpectThrowsWith<ConfigError>([&] { Collect(options, folder / "d", second, false); },
                                {"--resume"});
}

TEST(DemoCollectionTest, OtherOptionsInTheSameFolderAreRefused) {
  const TemporaryFolder folder;
  DemoScript script;
  Collect({.task = {"reach"}, .episodes = 1}, folder / "d", script);
  ExpectThrowsWith<ConfigError>(
      [&] { Collect({.task = {"reach"}, .episodes = 1, .first_seed = 5}, folder / "d", script); },
      {"first_seed is 5", "5", "another --out"});
  ExpectThrowsWith<ConfigError>(
      [&] { Collect({.task = {"reach"}, .episodes = 1, .image_size = 32}, folder / "d", script); },
      {"image_size"});
  ExpectThrowsWith<ConfigError>(
      [&] {
        Collect({.task = {"reach"}, .episodes = 1, .camera_raise_deg = 20}, folder / "d", script);
      },
      {"camera_raise_deg"});
  for (const char* cameras : {"moved:10", "within:10"}) {
    ExpectThrowsWith<ConfigError>(
        [&] {
          Collect({.task = {"reach"}, .episodes = 1, .cameras = cameras}, folder / "d", script);
        },
        {"cameras", "as-trained"});
  }
}

// Neither another version of a simulator nor other robots in it add to what is there.
TEST(DemoCollectionTest, AnotherSimulatorInTheSameFolderIsRefused) {
  const TemporaryFolder folder;
  DemoScript script;
  script.identity.settings = {{"AIM_SCRIPT_ROBOTS", "Panda"}};
  Collect({.task = {"reach"}, .episodes = 1}, folder / "d", script);
  Collect({.task = {"reach"}, .episodes = 2}, folder / "d", script);
  script.identity.settings = {{"AIM_SCRIPT_ROBOTS", "UR5e"}};
  ExpectThrowsWith<ConfigError>(
      [&] { Collect({.task = {"reach"}, .episodes = 2}, folder / "d", script); },
      {"AIM_SCRIPT_ROBOTS is \"UR5e\"", "\"Panda\", as in the run"});
  script.identity = {.simulator = "script 2.0", .settings = {{"AIM_SCRIPT_ROBOTS", "Panda"}}};
  ExpectThrowsWith<ConfigError>(
      [&] { Collect({.task = {"reach"}, .episodes = 2}, folder / "d", script); },
      {"simulator is \"script 2.0\"", "\"script 1.0\", as in the run"});
}

// A failed script is tried with further seeds; the one that worked is recorded.
TEST(DemoCollectionTest, FailuresAreRetriedCountedAndNamed) {
  const TemporaryFolder folder;
  DemoScript script;
  script.succeeds = [](uint64_t seed) { return seed != 1; };
  json report = Collect({.task = {"reach"}, .episodes = 3}, folder / "d", script);
  EXPECT_EQ(report["written"], 3);
  EXPECT_EQ(report["retried"], 1);
  const DataSet data = OpenDataSet(EpisodeFolder(folder / "d", "reach", 1, 1));
  const uint64_t seed = data.Read(data.episodes().at(0)).seed;
  EXPECT_GE(seed, uint64_t{1} << 47);
  EXPECT_LT(seed, uint64_t{1} << 48);

  script.succeeds = [](uint64_t) { return false; };
  report = Collect({.task = {"stay"}, .episodes = 1}, folder / "e", script);
  EXPECT_EQ(report["episodes"], 0);
  ASSERT_EQ(report["failed"].size(), 1u);
  EXPECT_EQ(report["failed"][0]["episode"], "stay/variation0/episode0");
  EXPECT_EQ(report["failed"][0]["attempts"], 10);
}

// As a child process does that ends: the next demonstration starts another one.
TEST(DemoCollectionTest, ALostSimulatorMakesTheSameEpisodeAgain) {
  const TemporaryFolder folder;
  DemoScript script;
  const DemoCollectionOptions options{.task = {"reach"}, .episodes = 4, .num_workers = 1};
  Collect(options, folder / "whole", script);
  bool is_lost = false;
  script.before = [&](uint64_t seed) {
    if (seed == 2 && !std::exchange(is_lost, true)) throw IoError({"simulator", "dead", "", ""});
  };
  const json report = Collect(options, folder / "d", script);
  EXPECT_EQ(report["written"], 4);
  EXPECT_EQ(report["retried"], 0);
  EXPECT_TRUE(is_lost);
  EXPECT_TRUE(Contents(folder / "d") == Contents(folder / "whole"));
}

TEST(DemoCollectionTest, TasksWithoutAnExpertAreLeftOutUnlessTheyAreAskedFor) {
  const TemporaryFolder folder;
  DemoScript script;
  script.without_expert = "stay";
  const json report = Collect({.episodes = 2}, folder / "d", script);
  EXPECT_EQ(report["written"], 2);
  EXPECT_FALSE(report["tasks"].contains("stay"));
  ExpectThrowsWith<ConfigError>(
      [&] { Collect({.task = {"stay"}, .episodes = 2}, folder / "e", script); },
      {"--task", "stay", "nobody demonstrates"});
}

TEST(DemoCollectionTest, WithoutATaskTheUsualOnesAreDemonstrated) {
  const TemporaryFolder folder;
  DemoScript script;
  script.default_tasks = {"stay"};
  const json report = Collect({.episodes = 2}, folder / "d", script);
  EXPECT_EQ(report["written"], 2);
  EXPECT_FALSE(report["tasks"].contains("reach"));
  EXPECT_EQ(Collect({.task = {"reach"}, .episodes = 2}, folder / "e", script)["written"], 2);
}

// As a scene that a simulator's expert cannot demonstrate.
TEST(DemoCollectionTest, ASeedThatLosesTheSimulatorTwiceIsLeft) {
  const TemporaryFolder folder;
  DemoScript script;
  script.before = [](uint64_t seed) {
    if (seed == 2) throw IoError({"simulator", "dead", "", ""});
  };
  const json report = Collect({.task = {"reach"}, .episodes = 4}, folder / "d", script);
  EXPECT_EQ(report["written"], 4);
  EXPECT_EQ(report["retried"], 1);
}

TEST(DemoCollectionTest, ASimulatorThatIsAlwaysLostEndsTheRun) {
  const TemporaryFolder folder;
  DemoScript script;
  std::atomic<int> made = 0;
  script.before = [&](uint64_t) {
    if (made++ > 5) throw IoError({"simulator", "dead", "a living one", ""});
  };
  ExpectThrowsWith<IoError>(
      [&] { Collect({.task = {"reach"}, .episodes = 50, .num_workers = 3}, folder / "d", script); },
      {"simulator"});
}

TEST(DemoCollectionTest, WrongOptionsAreNamedAndLeaveNothing) {
  struct Row {
    const char* name;
    DemoCollectionOptions options;
    std::vector<std::string> words;
  };
  const TemporaryFolder folder;
  DemoScript script;
  for (const Row& row : {
           Row{"task", {.task = {"reech"}}, {"task", "reech", "reach"}},
           Row{"second task", {.task = {"reach,reech"}}, {"is \"reech\""}},
           Row{"second variation", {.task = {"reach"}, .variations = {"0,2"}}, {"is 2", "below 2"}},
           Row{"variation", {.task = {"reach"}, .variations = {"2"}}, {"variations", "below 2"}},
           Row{"word", {.variations = {"red"}}, {"variations", "red"}},
           Row{"episodes", {.episodes = 0}, {"episodes", "0"}},
           Row{"size", {.image_size = 4}, {"image_size", "4"}},
           Row{"cameras", {.cameras = "turned:3"}, {"--cameras", "turned:3", "within:DEG"}},
           Row{"raise", {.camera_raise_deg = 40}, {"camera_raise_deg", "40"}},
       }) {
    SCOPED_TRACE(row.name);
    ExpectThrowsWith<ConfigError>([&] { Collect(row.options, folder / "d", script); }, row.words);
    EXPECT_FALSE(fs::exists(folder / "d"));
  }
}

TEST(DemoCollectionTest, PreviewsAreThereUnlessTheyAreNotWanted) {
  const TemporaryFolder folder;
  DemoScript script;
  Collect({.task = {"reach"}, .episodes = 1}, folder / "with", script);
  Collect({.task = {"reach"}, .episodes = 1, .previews = false}, folder / "without", script);
  const fs::path preview = "view0/rgb/video_preview.mp4";
  EXPECT_TRUE(fs::exists(EpisodeFolder(folder / "with", "reach", 0, 0) / preview));
  EXPECT_FALSE(fs::exists(EpisodeFolder(folder / "without", "reach", 0, 0) / preview));
}

TEST(DemoCollectionTest, VariationsAreChosen) {
  const TemporaryFolder folder;
  DemoScript script;
  Collect({.task = {"reach"}, .episodes = 3, .variations = {"1"}}, folder / "d", script);
  const DataSet data = OpenDataSet(folder / "d");
  for (const EpisodeRef& ref : data.episodes()) EXPECT_EQ(ref.variation, 1);
}

// Four processes at once, one of them killed on its way, then a resume: every episode is there,
// equal to what one process makes, and no process made what another had claimed.
TEST(DemoCollectionTest, FourProcessesFillOneFolder) {
  const TemporaryFolder folder;
  const DemoCollectionOptions options{.task = {"reach"}, .episodes = 40, .num_workers = 1};
  std::vector<pid_t> processes;
  for (int process = 0; process < 4; ++process) {
    processes.push_back(Fork([&] {
      DemoScript script;
      if (process == 0) {
        script.before = [](uint64_t seed) {
          if (seed >= 10) ::raise(SIGKILL);
        };
      }
      const json report = Collect(options, folder / "many", script);
      WriteFileAtomic(folder / ("report" + std::to_string(process)), report.dump());
    }));
  }
  int written = 0;
  for (size_t process = 0; process < processes.size(); ++process) {
    const int status = WaitFor(processes[process]);
    const fs::path report = folder / ("report" + std::to_string(process));
    if (process > 0) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
      written += json::parse(ReadFile(report))["written"].get<int>();
    }
  }
  EXPECT_LE(written, 40);
  DemoScript script;
  const json resumed = Collect(options, folder / "many", script);
  EXPECT_EQ(resumed["episodes"], 40);
  EXPECT_EQ(resumed["in_progress_elsewhere"], 0);
  Collect(options, folder / "one", script);
  EXPECT_TRUE(Contents(folder / "many") == Contents(folder / "one"));
}

}  // namespace
}  // namespace aim
