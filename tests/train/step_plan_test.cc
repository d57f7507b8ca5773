#include "aim/train/step_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "aim/base/error.h"
#include "aim/train/schedule.h"
#include "support/throws.h"

namespace aim {
namespace {

TEST(StepPlanTest, AnEpochVisitsEveryClipOnce) {
  TrainOptions options;
  options.batch_size = 4;
  std::vector<int> visits(10);
  for (int64_t step = 0; step < 5; ++step) {
    for (const SampleDraw& draw : PlanStep(options, 7, step, {10}).draws)
      ++visits[static_cast<size_t>(draw.clip)];
  }
  EXPECT_THAT(visits, ::testing::Each(2));
}

TEST(StepPlanTest, ModesComeInTheirShares) {
  TrainOptions options;
  options.batch_size = 4000;
  options.mix = {{"i2a", 0.5}, {"v2a", 0.25}, {"a2v", 0.25}};
  std::map<std::string, int> counts;
  for (const SampleDraw& draw : PlanStep(options, 7, 0, {100}).draws) ++counts[draw.mode->name];
  EXPECT_EQ(counts.size(), 3U);
  EXPECT_NEAR(counts["i2a"], 2000, 150);
  EXPECT_NEAR(counts["v2a"], 1000, 120);
}

TEST(StepPlanTest, OnlyModesThatCanDoWithoutLoseTheFirstPose) {
  TrainOptions options;
  options.batch_size = 2000;
  options.first_pose_dropout = 0.5;
  std::map<std::string, int> without;
  for (const SampleDraw& draw : PlanStep(options, 7, 0, {100}).draws) {
    if (!draw.first_pose_given) ++without[draw.mode->name];
  }
  EXPECT_EQ(without.size(), 1U);
  EXPECT_NEAR(without["v2a"], 200, 60);
}

// Every microbatch of one rank alone is that of one of several, also where they cannot share
// evenly.
TEST(StepPlanTest, RanksShareTheMicrobatchesOfOne) {
  TrainOptions options;
  options.microbatch = 2;
  for (const int batch_size : {1, 3, 7, 16}) {
    options.batch_size = batch_size;
    for (const int64_t step : {0, 1, 5}) {
      const StepPlan whole = PlanStep(options, 3, step, {10});
      EXPECT_EQ(whole.draws.size(), static_cast<size_t>(batch_size));
      for (const size_t num_ranks : {1U, 2U, 4U}) {
        std::vector<Microbatch> joined(whole.microbatches.size());
        for (size_t rank = 0; rank < num_ranks; ++rank) {
          const StepPlan part =
              PlanStep(options, 3, step, {10}, static_cast<int>(rank), static_cast<int>(num_ranks));
          EXPECT_EQ(part.train_step, step);
          EXPECT_EQ(part.lr, LearningRate(options, step));
          EXPECT_LE(part.microbatches.size(), joined.size() / num_ranks + 1);
          for (size_t i = 0; i < part.microbatches.size(); ++i)
            joined.at(rank + i * num_ranks) = part.microbatches[i];
        }
        EXPECT_EQ(joined, whole.microbatches) << batch_size << ", " << num_ranks << " ranks";
      }
    }
  }
}

TEST(StepPlanTest, RanksWithoutWorkAreTold) {
  struct Case {
    int batch_size;
    int microbatch;
    int num_ranks;
    std::string words;  // none: all have work
  };
  for (const Case& each : {
           Case{1, 6, 1, ""},
           Case{16, 6, 3, ""},
           Case{16, 6, 4,
                "16 in microbatches of up to 6: 4 ranks do not all have work in each "
                "step; lower train.microbatch to 4"},
           Case{16, 4, 4, ""},
           Case{2, 1, 2, ""},
           Case{3, 1, 4, "train.batch_size is 3: of 4 ranks no more than so many have work"},
       }) {
    TrainOptions options;
    options.batch_size = each.batch_size;
    options.microbatch = each.microbatch;
    const std::string idle = IdleRanks(options, each.num_ranks);
    EXPECT_EQ(idle.empty(), each.words.empty()) << idle;
    EXPECT_THAT(idle, ::testing::HasSubstr(each.words));
    for (int rank = 0; rank < each.num_ranks && idle.empty(); ++rank)
      EXPECT_FALSE(PlanStep(options, 1, 0, {10}, rank, each.num_ranks).microbatches.empty());
  }
}

TEST(StepPlanTest, StepsAndSeedsDiffer) {
  const TrainOptions options;
  EXPECT_EQ(PlanStep(options, 3, 2, {10}).draws, PlanStep(options, 3, 2, {10}).draws);
  EXPECT_NE(PlanStep(options, 3, 2, {10}).draws, PlanStep(options, 3, 3, {10}).draws);
  EXPECT_NE(PlanStep(options, 3, 2, {10}).draws, PlanStep(options, 4, 2, {10}).draws);
}

TEST(StepPlanTest, MicrobatchesHoldEverySampleOnceAndOneKindOfCanvas) {
  TrainOptions options;
  options.batch_size = 50;
  const std::vector<SampleDraw> draws = PlanStep(options, 3, 0, {1000}).draws;
  std::vector<int64_t> clips;
  size_t last_size = 4;
  for (const auto& part : SplitIntoMicrobatches(draws, 4)) {
    EXPECT_LE(part.size(), last_size);  // large ones first
    last_size = part.size();
    for (const SampleDraw& draw : part) {
      EXPECT_EQ(draw.mode->action.present, part.front().mode->action.present);
      EXPECT_EQ(draw.mode->video.first_only, part.front().mode->video.first_only);
      clips.push_back(draw.clip);
    }
  }
  std::vector<int64_t> expected;
  for (const SampleDraw& draw : draws) expected.push_back(draw.clip);
  EXPECT_THAT(clips, ::testing::UnorderedElementsAreArray(expected));
}

// Every mode of the table is an option, and no other.
TEST(ModeMixTest, OptionsAreTheTable) {
  std::vector<std::string> names;
  for (const Mode& mode : AllModes()) names.push_back(mode.name);
  ModeMix mix;
  EXPECT_EQ(OptionKeys(mix), names);
  EXPECT_THAT(mix.Names(), ::testing::ElementsAre("i2a", "i2va", "v2a", "a2v", "i2v"));
  for (const char* name : {"i2a", "i2va", "v2a", "a2v"}) SetOption(mix, name, 0.0);
  EXPECT_THAT(mix.Names(), ::testing::ElementsAre("i2v"));
  for (const double u : {0.0, 0.5, 0.999999}) EXPECT_EQ(mix.Draw(u).name, "i2v");
  testing::ExpectThrowsWith<ConfigError>([&] { SetOption(mix, "i2b", 1.0); }, {"i2b"});
  for (const double share : {-0.1, 1.1, std::nan(""), std::numeric_limits<double>::infinity()})
    testing::ExpectThrowsWith<ConfigError>([&] { SetOption(mix, "i2a", share); }, {"i2a"});
  TrainRunOptions run;
  run.train.mix = {};
  for (const Mode& mode : AllModes()) SetOption(run.train.mix, mode.name, 0.0);
  testing::ExpectThrowsWith<ConfigError>([&] { run.Validate(); }, {"train.mix", "zero for every"});
  testing::ExpectThrowsWith<ConfigError>([] { ModeMix({{"a2a", 1.0}}); }, {"a2a", "i2va"});
}

}  // namespace
}  // namespace aim
