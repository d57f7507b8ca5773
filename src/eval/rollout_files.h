// The files that a rollout leaves of its trials.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/shard.h"
#include "aim/eval/report.h"
#include "aim/eval/rollout.h"
#include "eval/trial_keys.h"

namespace aim {

struct RolloutResults {
  RolloutOptions options;  // with nothing left to choose
  std::vector<TrialRecord> trials = {};
  nlohmann::json run_record;  // of ReportSubject; its seed is that of the bootstrap draws
  std::vector<std::pair<std::string, TrialTable>> comparisons = {};  // of all shards, by folder
};

// trials/<stem>.json in the rollout's folder.
std::filesystem::path TrialFile(const std::filesystem::path& folder, const TrialKey& key);

// Of a stored trial. Throws FormatError naming the file for one that is damaged, or of another key.
TrialRecord ReadTrial(const std::filesystem::path& folder, const TrialKey& key);

// Which trials the options ask for, in order; of all shards, and of one.
std::vector<TrialKey> ListTrials(const RolloutOptions& options);
std::vector<TrialKey> OfShard(const std::vector<TrialKey>& keys, const Shard& shard);

// Earlier rollouts that `options` are compared with: their tables, of the first cameras. Throws
// InputError, FormatError.
std::vector<std::pair<std::string, TrialTable>> ReadComparisons(const RolloutOptions& options);

// episodes.csv, the references' tables, report.json, report.html; the filmstrips are there.
RolloutReport WriteResults(const RolloutResults& results, const std::filesystem::path& folder);

}  // namespace aim
