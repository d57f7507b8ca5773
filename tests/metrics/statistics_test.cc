#include "aim/metrics/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace aim {
namespace {

struct WilsonCase {
  int successes;
  int trials;
  double low_percent;
  double high_percent;
};

// Golden values: docs/reference/formats.md 6.3 (n = 20) and 6.4 (60/280), printed to 0.1 %.
class WilsonTest : public ::testing::TestWithParam<WilsonCase> {};

TEST_P(WilsonTest, Golden) {
  const WilsonCase c = GetParam();
  const Interval interval = WilsonInterval(c.successes, c.trials);
  EXPECT_NEAR(100 * interval.low, c.low_percent, 0.05);
  EXPECT_NEAR(100 * interval.high, c.high_percent, 0.05);
}

INSTANTIATE_TEST_SUITE_P(Published, WilsonTest,
                         ::testing::Values(WilsonCase{0, 20, 0, 16.1},
                                           WilsonCase{10, 20, 29.9, 70.1},
                                           WilsonCase{20, 20, 83.9, 100},
                                           WilsonCase{60, 280, 17.0, 26.6}));

TEST(Wilson, SymmetricNestedAndNeverOutsideTheUnitInterval) {
  for (int n : {1, 7, 50}) {
    for (int k = 0; k <= n; ++k) {
      const Interval interval = WilsonInterval(k, n);
      const Interval mirrored = WilsonInterval(n - k, n);
      EXPECT_NEAR(interval.low, 1 - mirrored.high, 1e-12);
      EXPECT_GE(interval.low, 0);
      EXPECT_LE(interval.high, 1);
      EXPECT_LE(interval.low, static_cast<double>(k) / n);
      EXPECT_GE(interval.high, static_cast<double>(k) / n);
    }
  }
  EXPECT_EQ(WilsonInterval(0, 0).high, 1);
}

McNemarResult Discordant(int only_first, int only_second, int both = 3) {
  std::vector<uint8_t> first;
  std::vector<uint8_t> second;
  const auto add = [&](int count, uint8_t a, uint8_t b) {
    first.insert(first.end(), static_cast<size_t>(count), a);
    second.insert(second.end(), static_cast<size_t>(count), b);
  };
  add(both, 1, 1);
  add(both, 0, 0);
  add(only_first, 1, 0);
  add(only_second, 0, 1);
  return McNemarExact(first, second);
}

// Golden values: docs/reference/formats.md 6.3; 1 of 10 is 22 / 1024 by hand.
TEST(McNemar, Golden) {
  EXPECT_DOUBLE_EQ(Discordant(0, 0).p_value, 1);
  EXPECT_NEAR(Discordant(5, 0).p_value, 0.0625, 1e-12);
  EXPECT_TRUE(Discordant(5, 0).underpowered);
  EXPECT_NEAR(Discordant(0, 6).p_value, 0.03125, 1e-12);
  EXPECT_FALSE(Discordant(0, 6).underpowered);
  EXPECT_NEAR(Discordant(1, 9).p_value, 22.0 / 1024, 1e-12);
  EXPECT_DOUBLE_EQ(Discordant(4, 4).p_value, 1);
}

TEST(McNemar, AgreeingPairsAndSidesDoNotMatter) {
  EXPECT_EQ(Discordant(7, 2, 0).p_value, Discordant(7, 2, 40).p_value);
  EXPECT_EQ(Discordant(7, 2).p_value, Discordant(2, 7).p_value);
  EXPECT_EQ(Discordant(7, 2).only_first, 7);
}

TEST(PairedBootstrap, CoversAKnownDifferenceAndIsReproducible) {
  Rng rng(11);
  std::vector<PairedTask> tasks(5);
  for (PairedTask& task : tasks) {
    for (int i = 0; i < 200; ++i) {
      task.first.push_back(rng.Uniform() < 0.8);
      task.second.push_back(rng.Uniform() < 0.5);
    }
  }
  Rng draws(3);
  const MeanDifference difference = PairedBootstrap(tasks, draws);
  EXPECT_NEAR(difference.mean, 0.3, 0.06);
  EXPECT_LT(difference.interval.low, difference.mean);
  EXPECT_GT(difference.interval.high, difference.mean);
  EXPECT_GT(difference.interval.low, 0.15);
  Rng again(3);
  EXPECT_EQ(PairedBootstrap(tasks, again).interval.low, difference.interval.low);
}

TEST(PairedBootstrap, EqualPoliciesDifferByNothing) {
  const std::vector<PairedTask> tasks = {{{1, 0, 1}, {1, 0, 1}}, {{0, 0}, {0, 0}}};
  Rng rng(1);
  const MeanDifference difference = PairedBootstrap(tasks, rng, 200);
  EXPECT_EQ(difference.mean, 0);
  EXPECT_EQ(difference.interval.low, 0);
  EXPECT_EQ(difference.interval.high, 0);
}

TEST(MeanRate, OneTaskIsWilsons) {
  const Interval wilson = WilsonInterval(13, 20);
  const Interval mean = MeanRateInterval(std::vector<TaskCount>{{13, 20}});
  EXPECT_NEAR(mean.low, wilson.low, 1e-12);
  EXPECT_NEAR(mean.high, wilson.high, 1e-12);
}

// Standard error of the mean of four rates of 1/2 with n trials each: 0.25 / sqrt(n).
TEST(MeanRate, ShrinksAsTheNormalApproximation) {
  const Interval interval = MeanRateInterval(std::vector<TaskCount>(4, {200, 400}));
  EXPECT_NEAR(interval.high - interval.low, 2 * 1.96 * 0.25 / 20, 1e-3);
}

// The true mean of random tasks lies inside in at least 93 % of runs, at the ends of [0, 1] too.
TEST(MeanRate, Covers) {
  Rng rng(17);
  int num_covered = 0;
  constexpr int kRuns = 1000;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<TaskCount> tasks(5);
    double truth = 0;
    for (TaskCount& task : tasks) {
      const double rate = rng.Uniform() < 0.5 ? 0.97 : rng.Uniform();
      truth += rate / 5;
      task.num_trials = 12;
      for (int i = 0; i < 12; ++i) task.num_successes += rng.Uniform() < rate;
    }
    const Interval interval = MeanRateInterval(tasks);
    num_covered += interval.low <= truth && truth <= interval.high;
  }
  EXPECT_GE(num_covered, 930);
}

// By hand: sorted 0.01 * 4, 0.02 * 3, 0.03 * 2 = 0.06, 0.2 * 1, then made monotone.
TEST(Holm, Golden) {
  const std::vector<double> p = {0.2, 0.01, 0.03, 0.02};
  const std::vector<double> corrected = HolmCorrection(p);
  EXPECT_NEAR(corrected[1], 0.04, 1e-12);
  EXPECT_NEAR(corrected[3], 0.06, 1e-12);
  EXPECT_NEAR(corrected[2], 0.06, 1e-12);
  EXPECT_NEAR(corrected[0], 0.2, 1e-12);
  EXPECT_EQ(HolmCorrection(std::vector<double>{0.9, 0.8}), (std::vector<double>{1, 1}));
}

}  // namespace
}  // namespace aim
