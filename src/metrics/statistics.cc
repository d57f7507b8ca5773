#include "aim/metrics/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "aim/base/error.h"
#include "metrics/bootstrap.h"

namespace aim {
namespace {

constexpr double kZ95 = 1.959963984540054;  // normal quantile of 0.975

double Rate(std::span<const uint8_t> outcomes) {
  const auto successes =
      std::count_if(outcomes.begin(), outcomes.end(), [](uint8_t s) { return s != 0; });
  return static_cast<double>(successes) / static_cast<double>(outcomes.size());
}

}  // namespace

Interval WilsonInterval(int num_successes, int num_trials) {
  AIM_CHECK(num_successes >= 0 && num_successes <= num_trials);
  if (num_trials == 0) return {0, 1};
  const double n = num_trials;
  const double rate = num_successes / n;
  const double z2_over_n = kZ95 * kZ95 / n;
  const double centre = (rate + 0.5 * z2_over_n) / (1 + z2_over_n);
  const double half =
      kZ95 * std::sqrt((rate * (1 - rate) + 0.25 * z2_over_n) / n) / (1 + z2_over_n);
  // At the ends the bound is exact; rounding must not push it past them.
  return {num_successes == 0 ? 0.0 : std::max(0.0, centre - half),
          num_successes == num_trials ? 1.0 : std::min(1.0, centre + half)};
}

McNemarResult McNemarExact(std::span<const uint8_t> first, std::span<const uint8_t> second) {
  AIM_CHECK(first.size() == second.size());
  McNemarResult result;
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i] && !second[i]) ++result.only_first;
    if (!first[i] && second[i]) ++result.only_second;
  }
  const int n = result.only_first + result.only_second;
  const int smaller = std::min(result.only_first, result.only_second);
  double tail = 0;
  for (int k = 0; k <= smaller; ++k) {
    const double log_choose =
        std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0);
    tail += std::exp(log_choose - n * std::log(2.0));
  }
  result.p_value = std::min(1.0, 2 * tail);
  result.underpowered = n < 6;
  return result;
}

MeanDifference PairedBootstrap(std::span<const PairedTask> tasks, Rng& rng, int num_draws) {
  AIM_CHECK(!tasks.empty() && num_draws > 0);
  MeanDifference result;
  for (const PairedTask& task : tasks) {
    AIM_CHECK(task.first.size() == task.second.size() && !task.first.empty());
    result.mean += (Rate(task.first) - Rate(task.second)) / static_cast<double>(tasks.size());
  }
  std::vector<double> draws;
  for (int draw = 0; draw < num_draws; ++draw) {
    double sum = 0;
    for (size_t i = 0; i < tasks.size(); ++i) {
      const PairedTask& task = tasks[DrawIndex(tasks.size(), rng)];
      int difference = 0;
      for (size_t j = 0; j < task.first.size(); ++j) {
        const size_t pair = DrawIndex(task.first.size(), rng);
        difference += (task.first[pair] != 0) - (task.second[pair] != 0);
      }
      sum += static_cast<double>(difference) / static_cast<double>(task.first.size());
    }
    draws.push_back(sum / static_cast<double>(tasks.size()));
  }
  result.interval = CentralInterval(draws);
  return result;
}

Interval MeanRateInterval(std::span<const TaskCount> tasks) {
  AIM_CHECK(!tasks.empty());
  double mean = 0;
  double below = 0;  // sums of squared half widths
  double above = 0;
  for (const TaskCount& task : tasks) {
    AIM_CHECK(task.num_trials > 0);
    const double rate = task.num_successes / static_cast<double>(task.num_trials);
    const Interval interval = WilsonInterval(task.num_successes, task.num_trials);
    mean += rate;
    below += (rate - interval.low) * (rate - interval.low);
    above += (interval.high - rate) * (interval.high - rate);
  }
  const auto count = static_cast<double>(tasks.size());
  return {(mean - std::sqrt(below)) / count, (mean + std::sqrt(above)) / count};
}

std::vector<double> HolmCorrection(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> corrected(p_values.size());
  double largest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const double scaled = p_values[order[i]] * static_cast<double>(order.size() - i);
    largest = std::max(largest, std::min(1.0, scaled));
    corrected[order[i]] = largest;
  }
  return corrected;
}

nlohmann::json ToJson(const Interval& interval) { return {interval.low, interval.high}; }

nlohmann::json ToJson(const McNemarResult& result) {
  return {{"only_first", result.only_first},
          {"only_second", result.only_second},
          {"p", result.p_value},
          {"underpowered", result.underpowered}};
}

}  // namespace aim
