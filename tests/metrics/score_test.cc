#include "aim/metrics/score.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace aim {
namespace {

Score MeanOf(const std::vector<double>& values) {
  Score score;
  for (const double value : values) score.AddValue(value);
  return score;
}

TEST(Score, FramesCountNotEpisodes) {
  Score all = MeanOf({1, 1, 1});
  all.Add(MeanOf({5}));
  EXPECT_EQ(all.Value(), 2);
  EXPECT_EQ(all.num_values, 4);
}

TEST(Score, OfSeveralRatiosIsTheirMean) {
  Score score{.num_values = 4, .ratios = {{1, 4}, {3, 4}}};
  EXPECT_EQ(score.Value(), 0.5);
  score.Add({.num_values = 4, .ratios = {{4, 4}, {3, 4}}});
  EXPECT_EQ(score.Value(), 0.5 * (5.0 / 8 + 6.0 / 8));
}

TEST(Score, WithoutACountHasNoValue) {
  EXPECT_FALSE(Score{}.Value());
  EXPECT_FALSE(ShareOf(0, 0).Value());
  EXPECT_EQ(ToJson(Scores{{"a", ShareOf(0, 0)}, {"b", ShareOf(1, 4)}}).dump(),
            R"({"b":{"n":4,"value":0.25}})");
}

TEST(SummarizeScores, EqualEpisodesHaveNoSpreadOthersTheirMeanInside) {
  Rng rng(1);
  const std::vector<Scores> equal(4, Scores{{"a", MeanOf({2, 4})}});
  const ScoreSummary same = SummarizeScores(equal, rng).at("a");
  EXPECT_EQ(same.interval->low, 3);
  EXPECT_EQ(same.interval->high, 3);
  std::vector<Scores> spread;
  for (int i = 0; i < 30; ++i) spread.push_back({{"a", MeanOf({1.0 * i})}});
  const ScoreSummary wide = SummarizeScores(spread, rng).at("a");
  EXPECT_EQ(wide.value, 14.5);
  EXPECT_EQ(wide.num_episodes, 30);
  // The mean of 30 draws from 0..29 deviates by 8.66 / sqrt(30) = 1.58.
  EXPECT_NEAR(wide.interval->low, 14.5 - 1.96 * 1.58, 0.4);
  EXPECT_NEAR(wide.interval->high, 14.5 + 1.96 * 1.58, 0.4);
}

TEST(SummarizeScores, OtherScoresDoNotMoveAnInterval) {
  std::vector<Scores> alone, among;
  for (int i = 0; i < 9; ++i) {
    alone.push_back({{"b", MeanOf({1.0 * i * i})}});
    among.push_back({{"a", MeanOf({2})}, {"b", MeanOf({1.0 * i * i})}});
  }
  const Interval expected = *SummarizeScores(alone, Rng(1)).at("b").interval;
  const Interval interval = *SummarizeScores(among, Rng(1)).at("b").interval;
  EXPECT_EQ(interval.low, expected.low);
  EXPECT_EQ(interval.high, expected.high);
}

TEST(SummarizeScores, OneEpisodeHasNoInterval) {
  Rng rng(1);
  const std::vector<Scores> one = {{{"a", MeanOf({2})}, {"b", ShareOf(0, 0)}}};
  const auto summaries = SummarizeScores(one, rng);
  EXPECT_FALSE(summaries.at("a").interval);
  EXPECT_FALSE(ToJson(summaries.at("a")).contains("interval"));
  EXPECT_FALSE(summaries.contains("b"));
}

// F1 of episodes of which one alone ever closes: draws without it have no value.
TEST(SummarizeScores, DrawsWithoutAValueAreLeftOut) {
  Rng rng(1);
  const std::vector<Scores> episodes = {{{"f1", {.num_values = 5, .ratios = {{4, 5}}}}},
                                        {{"f1", {.num_values = 5, .ratios = {{0, 0}}}}}};
  const ScoreSummary summary = SummarizeScores(episodes, rng).at("f1");
  EXPECT_EQ(summary.value, 0.8);
  EXPECT_EQ(summary.interval->low, 0.8);
  EXPECT_EQ(summary.interval->high, 0.8);
}

}  // namespace
}  // namespace aim
