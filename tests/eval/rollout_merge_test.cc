#include "aim/eval/rollout_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "eval/point_rollout.h"
#include "eval/timeless.h"
#include "support/case_name.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectSameRollout;
using testing::ExpectThrowsWith;
using testing::PointFaults;
using testing::RolloutTest;
using testing::SmallOptions;

namespace fs = std::filesystem;

class RolloutMergeTest : public RolloutTest {
 protected:
  static RolloutOptions Options() {
    RolloutOptions options = SmallOptions("model");
    options.num_videos = 1;
    options.picture_size = 32;
    return options;
  }

  // Shard i of n in the folder "<name>i".
  void RollShard(const std::string& name, size_t index, size_t count,
                 RolloutOptions options = Options(), const PointFaults& faults = {}) const {
    options.shard = std::to_string(index) + "/" + std::to_string(count);
    Roll(name + std::to_string(index), options, faults);
  }

  RolloutReport Merge(const std::vector<std::string>& names, const std::string& out) const {
    RolloutMergeOptions options;
    for (const std::string& name : names) options.folders.push_back((folder_ / name).string());
    RunContext run = Context(out);
    return RunRolloutMerge(options, run);
  }
};

TEST_F(RolloutMergeTest, ShardsTogetherAreTheWhole) {
  RolloutOptions options = Options();
  options.cameras = {"as-trained", "moved:20"};
  Roll("earlier", SmallOptions("replay"));
  options.compare = {(folder_ / "earlier").string()};
  const nlohmann::json whole = Roll("whole", options);
  ASSERT_EQ(whole["filmstrips"].size(), 4u);
  for (size_t i = 0; i < 3; ++i) RollShard("shard", i, 3, options);
  const RolloutReport merged = Merge({"shard2", "shard0", "shard1"}, "merged");
  EXPECT_EQ(merged.num_trials, 8);
  EXPECT_EQ(merged.compare.size(), 1u);
  ExpectSameRollout(folder_ / "whole", folder_ / "merged");

  // More episodes can be played in it, as in any other.
  options.episodes = 5;
  options.compare.clear();
  EXPECT_EQ(Roll("merged", options, {}, true)["num_trials"], 10);
}

TEST_F(RolloutMergeTest, AShardPlaysItsPartAndGoesOnWithItAlone) {
  RolloutOptions options = Options();
  options.shard = "1/3";
  EXPECT_EQ(Roll("a", options)["num_trials"], 3);  // of eight: 1, 4, 7
  EXPECT_TRUE(fs::exists(folder_ / "a/trials/stay_0.json"));
  EXPECT_FALSE(fs::exists(folder_ / "a/trials/stay_1.json"));
  options.shard = "2/3";
  ExpectThrowsWith<ConfigError>([&] { Roll("a", options, {}, true); }, {"shard", "1/3"});
  options.shard = "8/9";
  ExpectThrowsWith<ConfigError>([&] { Roll("b", options); }, {"--shard", "8/9", "at most 8"});
  options.shard = "3/3";
  ExpectThrowsWith<ConfigError>([&] { Roll("b", options); }, {"--shard", "0 <= i < n"});
}

struct BadShards {
  std::string name;
  std::vector<std::string> merged;
  std::vector<std::string> words;
};

class BadShardsTest : public RolloutMergeTest, public ::testing::WithParamInterface<BadShards> {};

TEST_P(BadShardsTest, AreRefusedInOneSentence) {
  for (size_t i = 0; i < 2; ++i) RollShard("half", i, 2);
  RollShard("third", 2, 3);
  RolloutOptions other = Options();
  other.replan = 3;
  RollShard("replan", 1, 2, other);
  other = Options();
  other.episodes = 3;
  RollShard("few", 1, 2, other);
  PointFaults steel;
  steel.identity.settings = {{"AIM_POINT_TABLE", "steel"}};
  RollShard("steel", 1, 2, Options(), steel);
  fs::copy(folder_ / "half1", folder_ / "unfinished", fs::copy_options::recursive);
  fs::remove(folder_ / "unfinished/report.json");
  fs::copy(folder_ / "half1", folder_ / "lost", fs::copy_options::recursive);
  fs::remove(folder_ / "lost/trials/stay_3.json");
  fs::copy(folder_ / "half1", folder_ / "damaged", fs::copy_options::recursive);
  WriteFileAtomic(folder_ / "damaged/report.json", "{}");
  fs::copy(folder_ / "half1", folder_ / "cut", fs::copy_options::recursive);
  WriteFileAtomic(folder_ / "cut/trials/stay_3.json", Text("half1/trials/stay_3.json").substr(9));
  fs::copy(folder_ / "half0", folder_ / "blind", fs::copy_options::recursive);
  fs::remove_all(folder_ / "blind/filmstrips");
  ExpectThrowsWith<InputError>([&] { Merge(GetParam().merged, "out"); }, GetParam().words);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

// Whatever a report lacks or has wrong, it is the shard that is named, not us.
TEST_F(RolloutMergeTest, DamagedReportsAreNamed) {
  for (size_t i = 0; i < 2; ++i) RollShard("half", i, 2);
  const nlohmann::json whole = nlohmann::json::parse(Text("half1/report.json"));
  std::vector<nlohmann::json> damaged;
  for (const auto& [key, value] : whole["run"].items()) {
    damaged.push_back(whole);
    damaged.back()["run"].erase(key);
    damaged.push_back(whole);
    damaged.back()["run"][key] = nlohmann::json::array({1});
  }
  for (const char* key : {"run", "format", "options"}) {
    for (const nlohmann::json& other : {nlohmann::json(5), nlohmann::json::array()}) {
      damaged.push_back(whole);
      damaged.back()[key] = other;
    }
    damaged.push_back(whole);
    damaged.back().erase(key);
  }
  for (const nlohmann::json& report : damaged) {
    WriteFileAtomic(folder_ / "half1/report.json", report.dump());
    ExpectThrowsWith<Error>([&] { Merge({"half0", "half1"}, "out"); }, {"half1"});
    EXPECT_FALSE(fs::exists(folder_ / "out"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadShardsTest,
    ::testing::Values(
        BadShards{"Missing",
                  {"half0"},
                  {"without reach trial 1, reach trial 3, stay trial 1", "all 8 trials"}},
        BadShards{"Lost", {"half0", "lost"}, {"without stay trial 3;"}},
        BadShards{"Twice", {"half0", "half0"}, {"reach trial 0 is in", "half0 and in"}},
        BadShards{"Overlapping", {"half0", "half1", "third2"}, {"reach trial 2", "third2"}},
        BadShards{"OtherSettings", {"half0", "replan1"}, {"replan1", "replan = 3", "0, as in"}},
        BadShards{"OtherSimulator",
                  {"half0", "steel1"},
                  {"steel1", "AIM_POINT_TABLE = \"steel\"", "nothing, as in"}},
        BadShards{"OtherEpisodes", {"half0", "few1"}, {"few1", "episodes = 3", "4, as in"}},
        BadShards{"Unfinished", {"half0", "unfinished"}, {"unfinished", "--resume"}},
        BadShards{"Damaged", {"half0", "damaged"}, {"damaged/report.json", "finished rollout"}},
        BadShards{"DamagedTrial", {"half0", "cut"}, {"cut/trials/stay_3.json", "not a trial"}},
        BadShards{"NoPictures", {"blind", "half1"}, {"blind/filmstrips/", "missing"}},
        BadShards{"Nowhere", {"half0", "nowhere"}, {"nowhere/report.json"}}),
    testing::CaseName());

}  // namespace
}  // namespace aim
