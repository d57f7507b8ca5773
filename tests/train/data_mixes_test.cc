#include "aim/train/data_mixes.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "aim/base/error.h"
#include "policy/tiny_bundle.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::testing::ElementsAre;

// docs/reference/method.md 4.2, its three rows.
TrainOptions ReleasedMixes() {
  TrainOptions options;
  options.mix = {{"i2v", .1}, {"i2a", .09}, {"i2va", .729}, {"v1_given", .0405}, {"v2a", .0405}};
  options.mixes = {"droid:i2v=0.1,i2va=0.81,v1_given=0.045,v2a=0.045", "bridge:i2v=1"};
  return options;
}

// Whose clips are those of three data sets in turn; every second one of DROID is a video alone.
struct ThreeSets {
  DataMixes mixes{ReleasedMixes()};
  DrawnClips clips{.count = 3000, .mix = [this](int64_t clip) -> const ModeMix& {
                     constexpr std::array kNames = {"data/rlbench", "data/droid", "data/bridge"};
                     return mixes.Of(kNames[static_cast<size_t>(clip % 3)], clip % 6 != 4);
                   }};
};

// Shares of each row, among 100 000 draws, within four deviations.
TEST(DataMixesTest, EachDataSetIsDrawnInItsOwnMix) {
  const ThreeSets sets;
  TrainOptions options = ReleasedMixes();
  options.batch_size = 100000;
  std::map<int64_t, std::map<std::string, int>> counts;  // of clip % 6, of mode
  std::map<int64_t, int> sums;
  for (const SampleDraw& draw : PlanStep(options, 11, 0, sets.clips).draws) {
    ++counts[draw.clip % 6][draw.mode->name];
    ++sums[draw.clip % 6];
  }
  const std::map<std::string, double> rlbench = {
      {"i2v", .1}, {"i2a", .09}, {"i2va", .729}, {"v1_given", .0405}, {"v2a", .0405}};
  const std::map<std::string, double> droid = {
      {"i2v", .1}, {"i2va", .81}, {"v1_given", .045}, {"v2a", .045}};
  const std::map<std::string, double> video = {{"i2v", 1}};
  const std::vector<std::map<std::string, double>> expected = {rlbench, droid, video,
                                                               rlbench, video, video};
  for (int64_t kind = 0; kind < 6; ++kind) {
    EXPECT_EQ(counts[kind].size(), expected[static_cast<size_t>(kind)].size()) << kind;
    for (const auto& [mode, share] : expected[static_cast<size_t>(kind)]) {
      const double deviation = std::sqrt(sums[kind] * share * (1 - share));
      EXPECT_NEAR(counts[kind][mode], sums[kind] * share, 4 * deviation) << kind << mode;
    }
  }
}

// What a clip is drawn in follows from the seed and its place; other data sets change nothing.
TEST(DataMixesTest, TheOtherDrawsStay) {
  const ThreeSets sets;
  const TrainOptions options = ReleasedMixes();
  for (int64_t step = 0; step < 20; ++step) {
    const std::vector<SampleDraw> plain = PlanStep(options, 5, step, {3000}).draws;
    const std::vector<SampleDraw> mixed = PlanStep(options, 5, step, sets.clips).draws;
    ASSERT_EQ(plain.size(), mixed.size());
    for (size_t i = 0; i < plain.size(); ++i) {
      EXPECT_EQ(plain[i].clip, mixed[i].clip);
      EXPECT_EQ(plain[i].noise, mixed[i].noise);
      if (plain[i].clip % 3 == 0) {
        EXPECT_EQ(plain[i], mixed[i]);
      }
    }
  }
}

TEST(DataMixesTest, AVideoAloneHasTheModesWithoutActions) {
  const DataMixes mixes(ReleasedMixes());
  EXPECT_THAT(mixes.Of("data/droid", true).Names(), ElementsAre("i2va", "v2a", "i2v", "v1_given"));
  EXPECT_THAT(mixes.Of("data/droid", false).Names(), ElementsAre("i2v"));
  EXPECT_THAT(mixes.Of("else", false).Names(), ElementsAre("i2v"));
  EXPECT_THAT(mixes.Modes(), ElementsAre("i2a", "i2va", "v2a", "i2v", "v1_given"));
  TrainOptions acting;
  acting.mix = {{"i2a", 1}, {"a2v", 1}};
  EXPECT_TRUE(DataMixes(acting).Of("else", false).empty());
}

// By the last folder or the whole path, as it was given.
TEST(DataMixesTest, ANameIsThatOfOneDataSet) {
  TrainOptions options;
  options.mixes = {"a/set:i2v=1", "other:v2a=1"};
  const DataMixes mixes(options);
  EXPECT_THAT(mixes.Of("a/set", true).Names(), ElementsAre("i2v"));
  EXPECT_THAT(mixes.Of("b/other", true).Names(), ElementsAre("v2a"));
  EXPECT_EQ(mixes.Of("b/set", true), options.mix);
  EXPECT_NO_THROW(mixes.RequireKnown({"a/set", "b/set", "b/other"}));
  struct Case {
    std::set<std::string> data_sets;
    std::vector<std::string> words;
  };
  for (const Case& each : {
           Case{{"a/set", "b/set"}, {"train.mixes is \"other\"", "one of", "a/set, b/set"}},
           Case{{"a/set", "a/other", "b/other"}, {"\"other\"", "not of a/other, b/other"}},
       }) {
    testing::ExpectThrowsWith<ConfigError>([&] { mixes.RequireKnown(each.data_sets); }, each.words);
  }
  options.mixes = {"a/set:i2v=1", "set:i2v=1"};
  testing::ExpectThrowsWith<ConfigError>([&] { DataMixes(options).RequireKnown({"a/set"}); },
                                         {"\"set\"", "each data set once"});
}

TEST(DataMixesTest, WhatIsNoMixIsRefused) {
  struct Case {
    std::vector<std::string> mixes;
    std::vector<std::string> words;
  };
  for (const Case& each : {
           Case{{"i2v=1"}, {"train.mixes is \"i2v=1\"", "NAME:MODE=SHARE"}},
           Case{{":i2v=1"}, {"a data set and its mix"}},
           Case{{"set:"}, {"at least one mode above 0"}},
           Case{{"set:i2v=0"}, {"at least one mode above 0"}},
           Case{{"set:i2v"}, {"a share behind each mode"}},
           Case{{"set:i2b=1"}, {"train.mixes", "i2b"}},
           Case{{"set:i2v=-0.5"}, {"train.mixes", "i2v", "-0.5"}},
           Case{{"set:i2v=1.5"}, {"train.mixes", "i2v", "1.5"}},
           Case{{"set:i2v=nan"}, {"train.mixes", "i2v", "nan"}},
           Case{{"set:i2v=1", "set:i2a=1"}, {"\"set\"", "each data set once"}},
       }) {
    TrainOptions options;
    options.mixes = each.mixes;
    testing::ExpectThrowsWith<ConfigError>([&] { DataMixes{options}; }, each.words);
    TrainRunOptions run;
    run.train = options;
    testing::ExpectThrowsWith<ConfigError>([&] { run.Validate(); }, each.words);
  }
}

class MixedCacheTest : public ::testing::Test {
 protected:
  // Two clips of each of four episodes, of two data sets; episodes 1 and 3 are videos alone.
  MixedCacheTest() {
    const auto make = [](int64_t item) {
      std::vector<CachedClip> clips;
      for (int i = 0; i < 2; ++i) {
        Clip clip = testing::MakeSyntheticClip(2, 1, 4);
        if (item % 2 == 1) clip.poses.clear();
        EncodedClip encoded{
            at::full({2, 2, 1, 1, 1, 1}, static_cast<double>(item)), {}, at::zeros({1, 1})};
        clips.push_back({.encoded = std::move(encoded),
                         .truth = std::move(clip),
                         .origin = {item < 2 ? "first" : "second", std::to_string(item)}});
      }
      return clips;
    };
    BuildLatentCache(folder_ / "cache",
                     {.key = "key", .num_items = 4, .start_worker = [&] { return make; }});
  }

  testing::TemporaryFolder folder_;
};

TEST_F(MixedCacheTest, ItsModesAreThoseThatAreDrawn) {
  const LatentCache cache = LatentCache::Open(folder_ / "cache");
  TrainOptions options;
  options.mix = {{"i2a", 1}, {"i2v", 1}};
  EXPECT_THAT(DataMixes(options).ModesOf(cache), ElementsAre("i2a", "i2v"));
  options.mixes = {"first:i2v=1", "second:i2v=1,v2a=1"};
  const DataMixes mixes(options);
  EXPECT_THAT(mixes.Modes(), ElementsAre("i2a", "v2a", "i2v"));
  EXPECT_THAT(mixes.ModesOf(cache), ElementsAre("v2a", "i2v"));
  options.batch_size = 800;
  for (const SampleDraw& draw : PlanStep(options, 1, 0, mixes.Over(cache)).draws) {
    const bool may_act =
        cache.Origin(draw.clip).data_set == "second" && cache.HasActions(draw.clip);
    EXPECT_TRUE(may_act || draw.mode->name == "i2v");
  }
}

// Hidden in the cache, named once an episode; what stays is numbered anew.
TEST_F(MixedCacheTest, EpisodesWithoutAModeAreLeftOut) {
  LatentCache cache = LatentCache::Open(folder_ / "cache");
  TrainOptions options;
  options.mix = {{"i2a", 1}};
  options.mixes = {"second:i2a=1,i2v=1"};
  const DataMixes mixes(options);
  const DrawnClips all = mixes.Over(cache);
  testing::ExpectThrowsWith<InputError>([&] { all.mix(2); }, {"1 is a video without actions"});
  const std::vector<Skipped> skipped = mixes.LeaveOut(cache);
  ASSERT_EQ(skipped.size(), 1U);
  EXPECT_EQ(skipped[0].episode, "1");
  EXPECT_THAT(skipped[0].problem, ::testing::HasSubstr("train.mix.i2v"));
  ASSERT_EQ(cache.size(), 6);
  std::vector<double> items;
  for (int64_t i = 0; i < cache.size(); ++i)
    items.push_back(cache.Get({i}).latents.max().item<double>());
  EXPECT_THAT(items, ElementsAre(0, 0, 2, 2, 3, 3));
  EXPECT_TRUE(mixes.LeaveOut(cache).empty());
  cache.KeepFirst(3);
  EXPECT_EQ(cache.Item(2), 2);
}

}  // namespace
}  // namespace aim
