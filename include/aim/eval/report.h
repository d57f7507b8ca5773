// The result of a rollout for people and for programs. docs/reference/formats.md 6.3.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aim/eval/comparison.h"
#include "aim/eval/imagination.h"
#include "aim/eval/trial_record.h"

namespace aim {

// What a report is about, besides its trials.
struct ReportSubject {
  std::string title;   // "model bundles/tiny in tabletop"
  std::string policy;  // name of the policy asked for
  uint64_t seed = 0;   // of the bootstrap draws
  int replan = 0;
  double period_s = 0.12;  // of an env step
  nlohmann::json options;
  nlohmann::json run_record;  // version, revision, device, seconds
};

// What has no value where nothing was measured is absent here and null in JSON.

// The policy against the null policy on one task.
struct NullTest {
  McNemarResult test;
  double p_holm = 1;  // corrected for the number of tasks
};

// One task. Means and medians leave invalid trials out; rates count them as failures.
struct TaskReport {
  std::string task;
  Rate success;
  std::map<Termination, int> terminations;  // those that occurred
  double timeout_frac = 0;
  int ik_failures = 0;
  double ik_fail_rate = 0;              // of all env steps
  std::map<StepOutcome, int> refusals;  // ik_failures by their reason
  std::optional<double> steps;
  std::optional<double> replans;
  std::optional<double> plan_s;
  std::optional<double> demo_frames;
  std::optional<double> tracking_mm;     // median
  std::optional<double> final_error_mm;  // median
  std::optional<double> confidence;
  std::optional<double> undecodable;
  ExpertDistance to_expert;
  std::optional<Rate> gate;  // of the trials that have that reference
  std::optional<Rate> null;
  std::optional<Rate> still;
  std::optional<NullTest> versus_null;

  // Whether the controller can do the task at all: a low gate says little about the policy.
  bool IsGateOk() const;
  int NumEndedBy(Termination termination) const;
};

// Success of trials whose plans had about one confidence.
struct ConfidenceBin {
  double low = 0;  // of the mean over all planned frames
  double high = 1;
  Rate success;
};

// Does confidence tell successes from failures?
struct ConfidenceReport {
  std::optional<double> success_mean;
  std::optional<double> failure_mean;
  std::optional<double> spearman_with_success;
  std::vector<ConfidenceBin> bins;  // those that have trials
};

// The same scenes with the cameras elsewhere.
struct CamerasReport {
  std::string cameras;  // as --cameras has them
  Rate pooled;
  double mean_success = 0;  // each task of equal weight
  Interval mean_success_interval;
  std::vector<std::pair<std::string, Rate>> tasks;
};

// The policy on the same scenes with one of the harness's knobs turned.
struct SensitivityReport {
  std::string variant;  // KEY=VALUE
  Rate pooled;
  double mean_success = 0;  // each task of equal weight
  Interval mean_success_interval;
  PairedTest paired;  // first: turned, second: as the rollout's options have it
  double p_holm = 1;  // corrected for the number of variants
};

// How the plans were executed. Wall times are of this machine.
struct ExecutionReport {
  std::optional<double> plan_s;            // wall time of a plan
  std::map<std::string, double> stages_s;  // its parts: encode, denoise, decode
  std::optional<double> plan_steps;        // the same in env steps of a robot that does not wait
  std::optional<double> step_s;            // wall time of an env step: executing and observing
  std::optional<double> sim_s;             // simulator time of a trial
  std::optional<double> stale_steps;       // age of what a target was planned from
  std::optional<double> stale_s;
  int limited_by_workspace = 0;  // targets that a limit changed
  int limited_by_speed = 0;
};

// What the controller alone is off, from the gate where it was played.
struct ControllerReport {
  std::optional<double> tracking_mm;
  std::optional<double> final_mm;
  std::optional<double> final_mm_p95;
};

// A trial that has pictures.
struct FilmstripEntry {
  std::string file;  // relative to the rollout's folder
  std::vector<std::string> videos;
  TrialSpec spec;
  bool success = false;
  Termination termination = Termination::kInvalid;
  int steps = 0;
  int replans = 0;
  double confidence = 0;
  std::string prompt;
};

struct InvalidTrial {
  TrialSpec spec;
  std::string error;
};

struct RolloutReport {
  ReportSubject subject;
  int num_trials = 0;
  int num_reruns = 0;
  Rate pooled;  // over all trials
  std::vector<TaskReport> tasks;
  // Each task of equal weight.
  double mean_success = 0;
  Interval mean_success_interval;
  std::optional<double> mean_success_gated;  // over the tasks whose gate is good
  std::optional<double> mean_gate;
  std::optional<double> mean_null;
  std::optional<double> mean_still;
  std::optional<PairedTest> versus_null;  // if every task has null policies
  ConfidenceReport confidence;
  ControllerReport controller;
  ExpertDistance to_expert;
  std::optional<double> plan_s;
  std::vector<FilmstripEntry> filmstrips;
  std::vector<InvalidTrial> invalid;
  ExecutionReport execution;
  std::vector<CamerasReport> cameras;            // where there are several
  std::vector<SensitivityReport> sensitivity;    // where there are variants
  std::vector<Comparison> compare;               // MakeReport leaves it empty
  std::optional<ImaginationReport> imagination;  // in place of all that is about success
};

// Every number of the report: per task and in the mean, with 95 % intervals, references, exact
// McNemar tests against the null policy (Holm over tasks), controller floor, confidence. A rate
// counts invalid trials as failures and lists them. Trials with other cameras than those of the
// first stand in `cameras`, `filmstrips` and `invalid` alone, those of a variant in `sensitivity`
// and `invalid`. `trials` has one without a variant.
RolloutReport MakeReport(const ReportSubject& subject, const std::vector<TrialRecord>& trials);

// The same of trials that were imagined: report.imagination, and what has nothing to do with
// success.
RolloutReport MakeImaginedReport(const ReportSubject& subject,
                                 const std::vector<TrialRecord>& trials);

inline constexpr const char* kRolloutFormat = "aim-rollout-1";  // "format" of report.json

// The content of report.json.
nlohmann::json ToJson(const RolloutReport& report);

// One self-contained HTML page: styles, charts and the filmstrips (read from `folder`) are inside.
std::string ReportHtml(const RolloutReport& report, const std::filesystem::path& folder);

// The table of tasks as plain text, for a terminal.
std::string ReportTable(const RolloutReport& report);

}  // namespace aim
