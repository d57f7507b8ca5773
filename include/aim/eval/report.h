// The result of a rollout for people and for programs. data-and-sim.md 6.3.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/eval/trial_record.h"

namespace aim {

// What a report is about, besides its trials.
struct ReportSubject {
  std::string title;   // "model bundles/tiny in tabletop"
  std::string policy;  // name of the policy asked for
  uint64_t seed = 0;   // of the bootstrap draws
  int replan = 0;
  nlohmann::json options;
  nlohmann::json run_record;  // version, revision, device, seconds
};

// Every number of the report: per task and in the mean, with 95 % intervals, references, exact
// McNemar tests against the null policy (Holm over tasks), controller floor, confidence. A rate
// counts invalid trials as failures and lists them. `trials` not empty.
nlohmann::json MakeReport(const ReportSubject& subject, const std::vector<TrialRecord>& trials);

// Throws InputError, naming `where`, unless the table has exactly these scenes, in any order.
void RequireSameScenes(const std::vector<TrialSpec>& scenes, const TrialTable& other,
                       const std::string& where);

// A paired test of `trials` against an earlier rollout of the same scenes. Throws InputError,
// naming `where`, if the scenes or the first pictures differ.
nlohmann::json CompareRollouts(const std::vector<TrialRecord>& trials, const TrialTable& other,
                               const std::string& where, uint64_t seed);

// One self-contained HTML page: styles, charts and the filmstrips (read from `folder`) are inside.
std::string ReportHtml(const nlohmann::json& report, const std::filesystem::path& folder);

// The table of tasks as plain text, for a terminal.
std::string ReportTable(const nlohmann::json& report);

}  // namespace aim
