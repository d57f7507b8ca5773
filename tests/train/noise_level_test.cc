#include "aim/train/noise_level.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "aim/train/loss_tally.h"
#include "support/source_dir.h"

namespace aim {
namespace {

TrainRunOptions Recipe(const std::string& file) {
  TrainRunOptions options;
  const std::filesystem::path path = testing::SourceDir() / "configs/train" / file;
  ApplyOptions(options, ReadToml(path), file);
  options.Validate();
  return options;
}

TrainOptions Released() {
  TrainOptions options;
  options.timesteps = TimestepDraw::kReleased;
  options.loss_weight = LossWeight::kBell;
  options.shift = 5;
  return options;
}

// docs/reference/wan22.md 5.1. The weights there are of listed timesteps, these of those that they
// are rounded to: the same at 1000, 8 of 1e-4 off elsewhere.
TEST(NoiseLevelTest, TheReleasedLevelsAreItsSchedulers) {
  const NoiseLevels levels(Released());
  std::set<double> sigmas;
  double sum = 0;
  int num_weightless = 0;
  for (int index = 0; index < 1000; ++index) {
    const NoiseLevel level = levels.Released(index);
    const double listed = 5 * (1 - index / 1000.0) / (1 + 4 * (1 - index / 1000.0));
    EXPECT_NEAR(level.timestep, 1000 * listed, 1000 * listed / 256) << index;
    EXPECT_NEAR(1000 * level.sigma, level.timestep, 2.1) << index;
    sigmas.insert(level.sigma);
    sum += level.weight;
    num_weightless += level.weight == 0 ? 1 : 0;
  }
  EXPECT_EQ(sigmas.size(), 294U);
  EXPECT_NEAR(sum / 1000, 1, 0.01);
  EXPECT_EQ(num_weightless, 10);  // indices 0 to 9 round to 1000
  EXPECT_EQ(levels.Released(0).timestep, 1000);
  EXPECT_NEAR(levels.Released(100).weight, 0.1390749, 0.02);
  EXPECT_NEAR(levels.Released(500).weight, 1.0248619, 0.01);
  EXPECT_NEAR(levels.Released(833).weight, 2.0764003, 0.001);
}

// The exact values of listed levels, by drawing a sigma that is one of them.
TEST(NoiseLevelTest, TheBellIsTheReleases) {
  const struct {
    int index;
    double weight;
  } table[] = {{1, 0.0012815},   {100, 0.1390749}, {500, 1.0248619}, {800, 2.0439293},
               {833, 2.0764003}, {950, 1.2507786}, {999, 0.0318790}};
  TrainOptions options = Released();
  const NoiseLevels levels(options);
  for (const auto& [index, weight] : table) {
    // Some rounded timestep may fall on the neighbour: the nearest of three has it.
    double nearest = 1;
    for (int i = std::max(0, index - 3); i <= std::min(999, index + 3); ++i)
      nearest = std::min(nearest, std::abs(levels.Released(i).weight - weight));
    EXPECT_LT(nearest, 0.012) << index;
  }
}

TEST(NoiseLevelTest, TheLogitNormalHasItsMedianAndSpread) {
  TrainOptions options;
  options.timesteps = TimestepDraw::kLogitNormal;
  options.shift = 1;
  options.logit_mean = 0.5;
  options.logit_deviation = 0.8;
  const NoiseLevels levels(options);
  Rng rng(3);
  std::vector<double> logits;
  for (int i = 0; i < 4001; ++i) {
    const NoiseLevel level = levels.Draw(rng);
    EXPECT_EQ(level.timestep, 1000 * level.sigma);
    EXPECT_EQ(level.weight, 1);
    logits.push_back(std::log(level.sigma / (1 - level.sigma)));
  }
  std::ranges::sort(logits);
  EXPECT_NEAR(logits[2000], 0.5, 0.05);
  EXPECT_NEAR(logits[3365] - logits[635], 2 * 0.8, 0.1);  // 15.9 % and 84.1 %
}

TEST(NoiseLevelTest, ALargerShiftMeansMoreNoise) {
  double before = 0;
  for (const double shift : {1.0, 5.0, 30.0}) {
    TrainOptions options;
    options.shift = shift;
    Rng rng(1);
    double sum = 0;
    for (int i = 0; i < 500; ++i) sum += NoiseLevels(options).Draw(rng).sigma;
    EXPECT_GT(sum, before);
    before = sum;
  }
}

TEST(Recipes, EveryOneIsRead) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(testing::SourceDir() / "configs/train")) {
    TrainRunOptions options;
    ApplyOptions(options, ReadToml(entry.path()), entry.path().string());
    options.init = "some bundle";  // an adapter needs one
    options.Validate();
    ++count;
  }
  EXPECT_GE(count, 6);
}

// docs/reference/method.md 4.2, of RLBench; 100 000 draws, within four deviations.
TEST(ReleaseRecipe, DrawsModesAndPromptsAsTheReleaseDoes) {
  TrainOptions options = Recipe("release.toml").train;
  options.batch_size = 50000;
  std::map<std::string, int> counts;
  int num_dropped = 0;
  for (int64_t step = 0; step < 2; ++step) {
    for (const SampleDraw& draw : PlanStep(options, 11, step, {1000}).draws) {
      ++counts[draw.mode->name];
      num_dropped += draw.drop_text ? 1 : 0;
      EXPECT_TRUE(draw.first_pose_given);
    }
  }
  const std::map<std::string, double> expected = {
      {"i2v", .10}, {"i2a", .09}, {"i2va", .729}, {"v1_given", .0405}, {"v2a", .0405}};
  ASSERT_EQ(counts.size(), expected.size());
  const auto within = [](int count, double share) {
    const double deviation = std::sqrt(1e5 * share * (1 - share));
    EXPECT_NEAR(count, 1e5 * share, 4 * deviation) << share;
  };
  for (const auto& [mode, share] : expected) within(counts[mode], share);
  within(num_dropped, .05);
}

TEST(ReleaseRecipe, OursDiffersWhereItSays) {
  const TrainOptions release = Recipe("release.toml").train;
  const TrainOptions ours = Recipe("action_images_5b.toml").train;
  EXPECT_EQ(release.clip_norm, 0);
  EXPECT_GT(ours.clip_norm, 0);
  EXPECT_EQ(release.ema, 0);
  EXPECT_GT(ours.ema, 0);
  EXPECT_EQ(ours.timesteps, release.timesteps);
  EXPECT_EQ(ours.shift, release.shift);
}

TEST(LossTallyTest, MeansAModeAndABandOfNoise) {
  const auto draw = [](const char* mode, double sigma) {
    SampleDraw sample;
    sample.mode = &FindMode(mode);
    sample.noise.sigma = sigma;
    return sample;
  };
  LossTally first, second;
  first.Add(draw("i2a", 0.1), 1);
  first.Add(draw("i2a", 1.0), 3);
  second.Add(draw("v2a", 0.9), 5);
  first.Add(second);
  const nlohmann::json means = LossTally::Of(first.AsTensor()).Means();
  EXPECT_EQ(means["loss_of_mode"], (nlohmann::json{{"i2a", 2.0}, {"v2a", 5.0}}));
  EXPECT_EQ(means["loss_of_noise"], (nlohmann::json{{"0-0.25", 1.0}, {"0.75-1", 4.0}}));
}

}  // namespace
}  // namespace aim
