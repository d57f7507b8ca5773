#include "aim/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "aim/base/atomic_file.h"
#include "aim/base/parse_json.h"
#include "data/layout_cases.h"
#include "data/smooth_episode.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using testing::MakeSmoothEpisodes;
using ::testing::SizeIs;
using testing::TemporaryFolder;

class SplitTest : public ::testing::Test {
 protected:
  SplitTest() : episodes_(MakeSmoothEpisodes(8, {.num_frames = 4})) {
    for (size_t i = 0; i < episodes_.size(); ++i) {
      episodes_[i].task = i % 2 == 0 ? "reach_target" : "push_button";
    }
    episodes_[5].clip.views = episodes_[2].clip.views;  // the same pictures
    testing::WriteThroughSink("action-images", folder_ / "set", episodes_);
  }

  SplitReport Split(SplitOptions options, const CommonOptions& common = {}) const {
    options.path = (folder_ / "set").string();
    CommonOptions whole = common;
    if (whole.out.empty()) whole.out = folder_ / "out";
    RunContext run(whole);
    return RunSplit(options, run);
  }

  // The number in its prompt of every episode of a part.
  std::set<std::string> Prompts(const std::string& part) const {
    const DataSet data = OpenDataSet(folder_ / "out" / part);
    std::set<std::string> prompts;
    for (const EpisodeRef& ref : data.episodes()) prompts.insert(data.Read(ref).clip.prompt);
    return prompts;
  }

  TemporaryFolder folder_;
  std::vector<Episode> episodes_;
};

TEST_F(SplitTest, PartsAreDataSetsThatShareNothing) {
  const SplitReport report = Split({.parts = "train=0.75,val=0.25"});
  EXPECT_EQ(report.to, "action-images");
  ASSERT_EQ(report.parts.size(), 2u);
  EXPECT_EQ(report.parts[0].num_episodes, 6);
  EXPECT_EQ(report.parts[1].num_frames, 8);
  const std::set<std::string> train = Prompts("train");
  const std::set<std::string> val = Prompts("val");
  EXPECT_THAT(train, SizeIs(6));
  EXPECT_THAT(val, SizeIs(2));
  for (const std::string& prompt : val) EXPECT_FALSE(train.contains(prompt)) << prompt;
  EXPECT_EQ(train.contains("prompt 2"), train.contains("prompt 5"));
  const nlohmann::json file = ParseJson(ReadFile(folder_ / "out/report.json"));
  EXPECT_EQ(file["parts"]["val"]["names"].size(), 2u);
}

TEST_F(SplitTest, TheSeedDecides) {
  const auto split = [&](const char* out, uint64_t seed) {
    return Split({.parts = "a=0.5,b=0.5"}, {.seed = seed, .out = folder_ / out}).parts[0].episodes;
  };
  const auto first = split("out1", 1);
  EXPECT_EQ(first, split("out2", 1));
  bool differs = false;
  for (uint64_t seed = 2; seed < 5; ++seed) {
    differs = differs || first != split(("seed" + std::to_string(seed)).c_str(), seed);
  }
  EXPECT_TRUE(differs);
}

TEST_F(SplitTest, TasksAreSharedOutWhereAskedFor) {
  const SplitReport report = Split({.parts = "train=0.5,val=0.5", .stratify = true});
  for (const SplitPart& part : report.parts) {
    std::map<char, int> tasks;
    for (const std::string& name : part.episodes) ++tasks[name[0]];
    EXPECT_NEAR(tasks['r'], 2, 1) << part.name;  // copies are of both tasks
    EXPECT_NEAR(tasks['p'], 2, 1) << part.name;
  }
}

TEST_F(SplitTest, PartsMayBeOfSoManyEpisodes) {
  const SplitReport report = Split({.episodes_per_part = 3, .to = "lerobot"});
  ASSERT_EQ(report.parts.size(), 3u);
  int64_t count = 0;
  for (const SplitPart& part : report.parts) {
    EXPECT_LE(part.num_episodes, 3);
    count += part.num_episodes;
    EXPECT_EQ(OpenDataSet(folder_ / "out" / part.name).layout().Name(), "lerobot");
  }
  EXPECT_EQ(count, 8);
  EXPECT_THAT(report.lost, ElementsAre());
}

TEST_F(SplitTest, WhatIsThereIsNotWrittenAgain) {
  const SplitOptions options{.parts = "train=0.75,val=0.25", .to = "folder"};
  const SplitReport first = Split(options);
  fs::path lost;
  for (const auto& entry : fs::directory_iterator(folder_ / "out/train")) {
    if (entry.is_directory()) lost = entry.path();
  }
  fs::remove_all(lost);
  const SplitReport again = Split(options, {.out = {}, .resume = true});
  EXPECT_EQ(again.parts[0].num_episodes, 6);
  EXPECT_EQ(again.parts[0].num_resumed, 5);
  EXPECT_EQ(again.parts[1].num_resumed, 2);
  EXPECT_TRUE(fs::exists(lost));
  ExpectThrowsWith<ConfigError>([&] { Split(options, {.seed = 9, .out = {}, .resume = true}); },
                                {"as in the run"});
  fs::remove_all(OpenDataSet(folder_ / "set").episodes()[0].path);
  ExpectThrowsWith<ConfigError>([&] { Split(options, {.out = {}, .resume = true}); },
                                {"episodes", "as in the run"});
}

TEST_F(SplitTest, DamagedEpisodesAreLeftOutAndNamed) {
  const EpisodeRef ref = OpenDataSet(folder_ / "set").episodes()[3];
  fs::remove(ref.path / "actions.npy");
  const SplitReport report = Split({.parts = "train=0.5,val=0.5"});
  EXPECT_EQ(report.parts[0].num_episodes + report.parts[1].num_episodes, 7);
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].episode, ref.name);
}

TEST_F(SplitTest, WhatCannotBeDoneIsRefused) {
  struct Case {
    SplitOptions options;
    std::vector<std::string> words;
  };
  const std::vector<Case> cases = {
      {{}, {"--parts", "not given"}},
      {{.parts = "a=1", .episodes_per_part = 2}, {"--parts", "--episodes-per-part"}},
      {{.parts = "train=0.9,val=0.2"}, {"--parts", "sum is 1"}},
      {{.parts = "train=0.5,train=0.5"}, {"--parts", "each once"}},
      {{.parts = "../train=0.5,val=0.5"}, {"--parts", "letters"}},
      {{.parts = "train=2"}, {"--parts", "at most 1"}},
      {{.parts = "train=much,val=0.1"}, {"--parts", "at most 1"}},
  };
  for (const Case& one : cases) {
    ExpectThrowsWith<ConfigError>([&] { Split(one.options); }, one.words);
  }
  ExpectThrowsWith<InputError>([&] { Split({.parts = "train=0.99,val=0.01"}); },
                               {"8 episodes", "val would get none"});
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  testing::WriteDroid(folder_ / "droid", episodes_);
  RunContext run({.out = folder_ / "out"});
  const SplitOptions options{.path = (folder_ / "droid").string(), .parts = "a=0.5,b=0.5"};
  ExpectThrowsWith<ConfigError>([&] { RunSplit(options, run); },
                                {"--to", "droid", "action-images"});
}

}  // namespace
}  // namespace aim
