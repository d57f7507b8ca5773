#include "train/rank_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aim {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// Ranks whose seconds a sample these are, two samples each; they wait for the slowest.
std::vector<RankTime> Step(const std::vector<double>& sample_s) {
  const double slowest = *std::max_element(sample_s.begin(), sample_s.end());
  std::vector<RankTime> ranks;
  for (const double seconds : sample_s)
    ranks.push_back(
        {.compute_s = 2 * seconds, .wait_s = 2 * (slowest - seconds), .num_samples = 2});
  return ranks;
}

TEST(RankWatchTest, SharesOfWaitingAreOfEachRanksTime) {
  RankWatch watch;
  watch.Add(Step({1, 2}));
  watch.Add(Step({1, 4}));
  EXPECT_THAT(watch.Close().wait_shares, ElementsAre(DoubleNear(8.0 / 12, 1e-12), 0));
  watch.Add(Step({2, 1}));
  EXPECT_THAT(watch.Close().wait_shares, ElementsAre(0, DoubleNear(0.5, 1e-12)));
  EXPECT_TRUE(watch.Close().wait_shares.empty());
}

TEST(RankWatchTest, ASlowRankIsNamedOnceAfterSeveralIntervals) {
  RankWatch watch;
  std::vector<int> named;
  for (int interval = 0; interval < 8; ++interval) {
    for (int step = 0; step < 5; ++step) watch.Add(Step({1, 1.1, 2.2, 0.9}));
    for (const RankWatch::SlowRank& slow : watch.Close().slow) {
      EXPECT_EQ(interval, RankWatch::kIntervals - 1);
      EXPECT_NEAR(slow.times, 2.2, 1e-9);
      named.push_back(slow.rank);
    }
  }
  EXPECT_THAT(named, ElementsAre(2));
}

// Not: what passes, what is a little slower, more samples at the same pace, no samples at all.
TEST(RankWatchTest, WhatIsNoSlowRankIsNotNamed) {
  RankWatch watch;
  for (int interval = 0; interval < 12; ++interval) {
    watch.Add(Step({1, interval % 3 == 2 ? 1.0 : 5.0, 1.4}));
    EXPECT_TRUE(watch.Close().slow.empty());
  }
  RankWatch uneven;
  for (int interval = 0; interval < 6; ++interval) {
    std::vector<RankTime> ranks = Step({1, 1, 1});
    ranks[0].compute_s *= 4;
    ranks[0].num_samples *= 4;
    ranks[2] = {.compute_s = 1, .wait_s = 3, .num_samples = 0};
    uneven.Add(ranks);
    EXPECT_TRUE(uneven.Close().slow.empty());
  }
}

// Of two, the other one is all there is to compare with.
TEST(RankWatchTest, OneOfTwoIsNamed) {
  RankWatch watch;
  size_t named = 0;
  for (int interval = 0; interval < 4; ++interval) {
    watch.Add(Step({3, 1}));
    for (const RankWatch::SlowRank& slow : watch.Close().slow) {
      EXPECT_EQ(slow.rank, 0);
      ++named;
    }
  }
  EXPECT_EQ(named, 1U);
}

}  // namespace
}  // namespace aim
