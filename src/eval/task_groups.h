// Trials of one task, in order of first appearance.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "aim/eval/trial_record.h"

namespace aim {

using TrialGroup = std::vector<const TrialRecord*>;

inline std::vector<std::pair<std::string, TrialGroup>> ByTask(
    const std::vector<TrialRecord>& trials) {
  std::vector<std::pair<std::string, TrialGroup>> tasks;
  for (const TrialRecord& trial : trials) {
    auto found = std::find_if(tasks.begin(), tasks.end(),
                              [&](const auto& task) { return task.first == trial.spec.task; });
    if (found == tasks.end()) found = tasks.insert(tasks.end(), {trial.spec.task, {}});
    found->second.push_back(&trial);
  }
  return tasks;
}

inline std::vector<uint8_t> Outcomes(const TrialGroup& trials) {
  std::vector<uint8_t> outcomes;
  for (const TrialRecord* trial : trials) outcomes.push_back(trial->result.success);
  return outcomes;
}

}  // namespace aim
