// The files that a rollout leaves of its trials.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "aim/eval/report.h"
#include "aim/eval/rollout.h"
#include "eval/trial_keys.h"

namespace aim {

struct RolloutResults {
  RolloutOptions options;  // with nothing left to choose
  std::vector<TrialRecord> trials = {};
  nlohmann::json run_record;  // of ReportSubject; its seed is that of the bootstrap draws
  std::vector<std::pair<std::string, TrialTable>> comparisons = {};  // by their folder
};

// trials/<stem>.json in the rollout's folder.
std::filesystem::path TrialFile(const std::filesystem::path& folder, const TrialKey& key);

// Which trials the options ask for, in order; of all shards.
std::vector<TrialKey> ListTrials(const RolloutOptions& options);

// episodes.csv, the references' tables, report.json, report.html; the filmstrips are there.
RolloutReport WriteResults(const RolloutResults& results, const std::filesystem::path& folder);

}  // namespace aim
