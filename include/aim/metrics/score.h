// Numbers that add up over episodes of different length, and their intervals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aim/base/rng.h"
#include "aim/metrics/statistics.h"

namespace aim {

// A mean is a sum over a count; a share, Jaccard's index and F1 are ratios of counts.
struct Ratio {
  double sum = 0;
  double count = 0;
};

struct Score {
  int64_t num_values = 0;  // that were measured: pictures, poses, marks
  std::vector<Ratio> ratios = {};

  void AddValue(double value);  // to a mean: one ratio
  // Adds what another episode gave, ratio by ratio.
  void Add(const Score& more);
  // The mean of its ratios; nothing where one has a count of zero.
  std::optional<double> Value() const;
};
Score ShareOf(double count, double total);  // one ratio; measured `total` times

// By name: "position_mm".
using Scores = std::map<std::string, Score>;
nlohmann::json ToJson(const Scores& scores);  // {name: {"n", "value"}}; those without are left out

// One score over all episodes together.
struct ScoreSummary {
  int64_t num_values = 0;
  int64_t num_episodes = 0;  // that have it
  double value = 0;
  // 95 % bootstrap interval that resamples episodes, whose frames are not independent. Of one
  // episode there is none.
  std::optional<Interval> interval;
};
// {"n", "episodes", "value", "interval": [low, high]}
nlohmann::json ToJson(const ScoreSummary& summary);

// Every score that has a value. The interval of one does not depend on which others there are.
std::map<std::string, ScoreSummary> SummarizeScores(std::span<const Scores> episodes,
                                                    const Rng& rng, int num_draws = 1000);

}  // namespace aim
