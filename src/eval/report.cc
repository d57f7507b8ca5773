#include "aim/eval/report.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "eval/report_parts.h"
#include "eval/task_groups.h"

namespace aim {
namespace {

constexpr double kGateFloor = 0.9;  // below it a task's result says little about the policy

// Of the trials that have that reference; nothing if none has.
std::optional<Rate> ReferenceRate(const TrialGroup& trials, const std::string& reference) {
  std::vector<uint8_t> outcomes;
  for (const TrialRecord* trial : trials) {
    const auto found = trial->references.find(reference);
    if (found != trial->references.end()) outcomes.push_back(found->second.success);
  }
  return outcomes.empty() ? std::nullopt : std::optional(RateOf(outcomes));
}

TaskReport ReportTask(const std::string& name, const TrialGroup& trials) {
  TaskReport task;
  task.task = name;
  task.success = RateOf(Outcomes(trials));
  int num_steps = 0;
  for (const TrialRecord* trial : trials) {
    ++task.terminations[trial->result.termination];
    num_steps += trial->result.env_steps;
    task.ik_failures += trial->result.ik_failures;
    for (const auto& [outcome, count] : trial->result.refusals) task.refusals[outcome] += count;
  }
  task.timeout_frac = task.NumEndedBy(Termination::kTimeout) / static_cast<double>(trials.size());
  if (num_steps > 0) task.ik_fail_rate = task.ik_failures / static_cast<double>(num_steps);
  task.steps = MeanOf(trials, [](auto& t) { return t.result.env_steps; });
  task.replans = MeanOf(trials, [](auto& t) { return t.result.replans; });
  task.plan_s = MeanOf(trials, [](auto& t) { return t.result.plan_s; });
  task.demo_frames = MeanOf(trials, [](auto& t) { return t.demo_frames; });
  task.tracking_mm = MedianOf(trials, [](auto& t) { return t.result.tracking_mm; });
  task.final_error_mm = MedianOf(trials, [](auto& t) { return t.result.final_error_mm; });
  task.confidence = MeanOf(trials, [](auto& t) { return t.result.confidence_mean; });
  task.undecodable = MeanOf(trials, [](auto& t) { return t.result.undecodable; });
  task.to_expert = DistanceOf(trials);
  task.gate = ReferenceRate(trials, "gate");
  task.null = ReferenceRate(trials, "null");
  task.still = ReferenceRate(trials, "still");
  return task;
}

// Policy against null policy, on the trials that have both.
PairedTask AgainstNull(const TrialGroup& trials) {
  PairedTask pairs;
  for (const TrialRecord* trial : trials) {
    const auto found = trial->references.find("null");
    if (found == trial->references.end()) continue;
    pairs.first.push_back(trial->result.success);
    pairs.second.push_back(found->second.success);
  }
  return pairs;
}

// Nothing unless every task has null policies.
void AddNullTests(RolloutReport& report,
                  const std::vector<std::pair<std::string, TrialGroup>>& tasks, const Rng& rng) {
  std::vector<PairedTask> pairs;
  std::vector<McNemarResult> tests;
  std::vector<double> p_values;
  for (const auto& [name, trials] : tasks) {
    pairs.push_back(AgainstNull(trials));
    if (pairs.back().first.empty()) return;
    tests.push_back(McNemarExact(pairs.back().first, pairs.back().second));
    p_values.push_back(tests.back().p_value);
  }
  const std::vector<double> corrected = HolmCorrection(p_values);
  for (size_t i = 0; i < tests.size(); ++i) {
    report.tasks[i].versus_null = NullTest{tests[i], corrected[i]};
  }
  report.versus_null = TestPairs(pairs, rng.Derive(0, "versus_null"));
}

// Of the tasks that have that reference.
std::optional<double> MeanReference(const std::vector<TaskReport>& tasks,
                                    std::optional<Rate> TaskReport::*reference) {
  std::vector<double> rates;
  for (const TaskReport& task : tasks) {
    if (task.*reference) rates.push_back((task.*reference)->rate);
  }
  return IfFinite(Mean(rates));
}

void AddMeans(RolloutReport& report) {
  std::vector<Rate> tasks;
  std::vector<double> gated;
  for (const TaskReport& task : report.tasks) {
    tasks.push_back(task.success);
    if (task.IsGateOk()) gated.push_back(task.success.rate);
  }
  const MeanSuccess mean = MeanOverTasks(tasks);
  report.mean_success = mean.rate;
  report.mean_success_interval = mean.interval;
  report.mean_success_gated = IfFinite(Mean(gated));
  report.mean_gate = MeanReference(report.tasks, &TaskReport::gate);
  report.mean_null = MeanReference(report.tasks, &TaskReport::null);
  report.mean_still = MeanReference(report.tasks, &TaskReport::still);
}

ConfidenceReport ReportConfidence(const TrialGroup& trials) {
  std::vector<double> of_success;
  std::vector<double> of_failure;
  std::vector<double> outcome;
  std::vector<double> confidence;
  for (const TrialRecord* trial : trials) {
    if (trial->result.termination == Termination::kInvalid) continue;
    const double mean = trial->result.confidence_mean;
    (trial->result.success ? of_success : of_failure).push_back(mean);
    outcome.push_back(trial->result.success);
    confidence.push_back(mean);
  }
  return {IfFinite(Mean(of_success)), IfFinite(Mean(of_failure)),
          IfFinite(SpearmanCorrelation(confidence, outcome)), ConfidenceBins(trials)};
}

ControllerReport ReportController(const TrialGroup& trials) {
  std::vector<double> tracking_mm;
  std::vector<double> final_mm;
  for (const TrialRecord* trial : trials) {
    const auto gate = trial->references.find("gate");
    const TrialResult& result = gate == trial->references.end() ? trial->result : gate->second;
    if (result.termination == Termination::kInvalid) continue;
    tracking_mm.push_back(result.tracking_mm);
    final_mm.push_back(result.final_error_mm);
  }
  return {IfFinite(Median(tracking_mm)), IfFinite(Median(final_mm)),
          IfFinite(Percentile(final_mm, 95))};
}

CamerasReport ReportCameras(const std::string& cameras, const std::vector<TrialRecord>& trials) {
  CamerasReport report;
  report.cameras = cameras;
  TrialGroup all;
  std::vector<Rate> tasks;
  for (const auto& [name, group] : ByTask(trials)) {
    tasks.push_back(RateOf(Outcomes(group)));
    report.tasks.emplace_back(name, tasks.back());
    all.insert(all.end(), group.begin(), group.end());
  }
  report.pooled = RateOf(Outcomes(all));
  const MeanSuccess mean = MeanOverTasks(tasks);
  report.mean_success = mean.rate;
  report.mean_success_interval = mean.interval;
  return report;
}

// Trials without a variant by their cameras, in order of first appearance.
std::vector<std::vector<TrialRecord>> ByCameras(const std::vector<TrialRecord>& trials) {
  std::vector<std::vector<TrialRecord>> groups;
  for (const TrialRecord& trial : trials) {
    if (!trial.variant.empty()) continue;
    auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& group) {
      return group.front().spec.cameras == trial.spec.cameras;
    });
    if (found == groups.end()) found = groups.insert(groups.end(), std::vector<TrialRecord>());
    found->push_back(trial);
  }
  return groups;
}

FilmstripEntry FilmstripOf(const TrialRecord& trial) {
  return {.file = trial.filmstrip,
          .videos = trial.videos,
          .spec = trial.spec,
          .success = trial.result.success,
          .termination = trial.result.termination,
          .steps = trial.result.env_steps,
          .replans = trial.result.replans,
          .confidence = trial.result.confidence_mean,
          .prompt = trial.result.prompt};
}

// What is listed of single trials.
void AddTrials(const std::vector<TrialRecord>& trials, RolloutReport& report) {
  for (const TrialRecord& trial : trials) {
    report.num_reruns += trial.num_reruns;
    if (!trial.filmstrip.empty()) report.filmstrips.push_back(FilmstripOf(trial));
    if (trial.result.termination == Termination::kInvalid) {
      report.invalid.push_back({trial.spec, trial.result.error});
    }
  }
}

}  // namespace

bool TaskReport::IsGateOk() const { return !gate || gate->rate >= kGateFloor; }

int TaskReport::NumEndedBy(Termination termination) const {
  const auto found = terminations.find(termination);
  return found == terminations.end() ? 0 : found->second;
}

RolloutReport MakeReport(const ReportSubject& subject, const std::vector<TrialRecord>& all_trials) {
  const std::vector<std::vector<TrialRecord>> by_cameras = ByCameras(all_trials);
  AIM_CHECK(!by_cameras.empty());
  const std::vector<TrialRecord>& trials = by_cameras.front();
  const std::vector<std::pair<std::string, TrialGroup>> tasks = ByTask(trials);
  TrialGroup all;
  for (const TrialRecord& trial : trials) all.push_back(&trial);
  RolloutReport report;
  report.subject = subject;
  report.num_trials = static_cast<int>(trials.size());
  report.pooled = RateOf(Outcomes(all));
  for (const auto& [name, group] : tasks) report.tasks.push_back(ReportTask(name, group));
  AddMeans(report);
  AddNullTests(report, tasks, Rng(subject.seed));
  report.confidence = ReportConfidence(all);
  report.controller = ReportController(all);
  report.to_expert = DistanceOf(all);
  report.execution = ReportExecution(all, subject.period_s);
  report.sensitivity = ReportSensitivity(all_trials, trials, Rng(subject.seed));
  report.plan_s = MeanOf(all, [](auto& t) { return t.result.plan_s; });
  for (const std::vector<TrialRecord>& group : by_cameras) {
    if (by_cameras.size() == 1) break;
    report.cameras.push_back(ReportCameras(group.front().spec.cameras, group));
  }
  AddTrials(all_trials, report);
  return report;
}

RolloutReport MakeImaginedReport(const ReportSubject& subject,
                                 const std::vector<TrialRecord>& trials) {
  TrialGroup all;
  for (const TrialRecord& trial : trials) all.push_back(&trial);
  RolloutReport report;
  report.subject = subject;
  report.num_trials = static_cast<int>(trials.size());
  report.execution = ReportExecution(all, subject.period_s);
  report.to_expert = DistanceOf(all);
  report.plan_s = report.execution.plan_s;
  report.imagination = ReportImagination(trials);
  AddTrials(trials, report);
  return report;
}

}  // namespace aim
