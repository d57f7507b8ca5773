// The numbers an evaluation may claim: intervals, paired tests, corrections.
// docs/reference/formats.md 6.3.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "aim/base/rng.h"
#include "aim/base/summary.h"

namespace aim {

struct Interval {
  double low = 0;
  double high = 0;
};
nlohmann::json ToJson(const Interval& interval);  // [low, high]

// Wilson's 95 % score interval of a rate, in [0, 1]. With no trials it is [0, 1].
Interval WilsonInterval(int num_successes, int num_trials);

// Exact two-sided McNemar test on paired outcomes.
struct McNemarResult {
  int only_first = 0;        // pairs in which only the first succeeded
  int only_second = 0;       // pairs in which only the second did
  double p_value = 1;        // 2 * P(Binomial(n, 1/2) <= min), at most 1; n the discordant pairs
  bool underpowered = true;  // fewer than 6 discordant pairs: p cannot fall below 0.05
};
McNemarResult McNemarExact(std::span<const uint8_t> first, std::span<const uint8_t> second);
nlohmann::json ToJson(const McNemarResult& result);  // "only_first", "only_second", "p", ...

// Difference of mean success, first minus second, averaged over tasks; its 95 % interval from
// `num_draws` bootstrap draws that resample the tasks, then the pairs within each.
struct PairedTask {
  std::vector<uint8_t> first;
  std::vector<uint8_t> second;  // same length, same seeds in the same order
};
struct MeanDifference {
  double mean = 0;
  Interval interval;
};
MeanDifference PairedBootstrap(std::span<const PairedTask> tasks, Rng& rng, int num_draws = 2000);

// 95 % interval of the mean of the tasks' rates, each of equal weight: the tasks' Wilson intervals
// joined by MOVER (Zou and Donner, Statistics in Medicine 27, 2008). Unlike a bootstrap it stays
// honest where all trials of a task agree. With one task it is Wilson's.
struct TaskCount {
  int num_successes = 0;
  int num_trials = 0;
};
Interval MeanRateInterval(std::span<const TaskCount> tasks);

// Holm's step-down correction; entry i is the corrected p value of entry i.
std::vector<double> HolmCorrection(std::span<const double> p_values);

}  // namespace aim
