// Parts of a report that go beyond its tables of tasks.
#pragma once

#include <vector>

#include "aim/base/rng.h"
#include "aim/eval/report.h"
#include "eval/task_groups.h"

namespace aim {

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
