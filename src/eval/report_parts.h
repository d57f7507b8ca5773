// Parts of a report that go beyond its tables of tasks.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "aim/base/rng.h"
#include "aim/eval/report.h"
#include "aim/metrics/statistics.h"
#include "eval/task_groups.h"

namespace aim {

// The mean or median of nothing is not a number; a report leaves it out.
std::optional<double> IfFinite(double value);

// Of the valid trials.
template <class Function>
std::vector<double> Collect(const TrialGroup& trials, Function&& value) {
  std::vector<double> values;
  for (const TrialRecord* trial : trials) {
    if (trial->result.termination != Termination::kInvalid) values.push_back(value(*trial));
  }
  return values;
}

template <class Function>
std::optional<double> MeanOf(const TrialGroup& trials, Function&& value) {
  return IfFinite(Mean(Collect(trials, value)));
}

template <class Function>
std::optional<double> MedianOf(const TrialGroup& trials, Function&& value) {
  return IfFinite(Median(Collect(trials, value)));
}

ExpertDistance DistanceOf(const TrialGroup& trials);

// What was not measured is null.
nlohmann::json OrNull(const std::optional<double>& value);
nlohmann::json ToJson(const ExpertDistance& distance);

// Success over tasks, each of equal weight.
struct MeanSuccess {
  double rate = 0;
  Interval interval;
};
MeanSuccess MeanOverTasks(const std::vector<Rate>& tasks);

// The variants among `all`, in order of first appearance, against `base`, trial by trial. A trial
// without its partner (in another shard) is left out of the pairs.
std::vector<SensitivityReport> ReportSensitivity(const std::vector<TrialRecord>& all,
                                                 const std::vector<TrialRecord>& base,
                                                 const Rng& rng);

// Over five equal bins of confidence; valid trials alone.
std::vector<ConfidenceBin> ConfidenceBins(const TrialGroup& trials);

// Of valid trials alone.
ExecutionReport ReportExecution(const TrialGroup& trials, double period_s);

}  // namespace aim
