#include "eval/report_parts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

namespace aim {
namespace {

constexpr int kNumConfidenceBins = 5;

bool IsValid(const TrialRecord& trial) { return trial.result.termination != Termination::kInvalid; }

std::vector<std::pair<std::string, std::vector<TrialRecord>>> ByVariant(
    const std::vector<TrialRecord>& trials) {
  std::vector<std::pair<std::string, std::vector<TrialRecord>>> groups;
  for (const TrialRecord& trial : trials) {
    if (trial.variant.empty()) continue;
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& group) { return group.first == trial.variant; });
    if (found == groups.end()) found = groups.insert(groups.end(), {trial.variant, {}});
    found->second.push_back(trial);
  }
  return groups;
}

SensitivityReport ReportVariant(const std::string& variant, const std::vector<TrialRecord>& trials,
                                const std::vector<TrialRecord>& base, const Rng& rng) {
  std::map<std::pair<std::string, int>, bool> base_success;
  for (const TrialRecord& trial : base) {
    base_success[{trial.spec.task, trial.trial}] = trial.result.success;
  }
  SensitivityReport report;
  report.variant = variant;
  TrialGroup all;
  std::vector<Rate> tasks;
  std::vector<PairedTask> pairs;
  for (const auto& [task, group] : ByTask(trials)) {
    all.insert(all.end(), group.begin(), group.end());
    tasks.push_back(RateOf(Outcomes(group)));
    PairedTask paired;
    for (const TrialRecord* trial : group) {
      const auto partner = base_success.find({task, trial->trial});
      if (partner == base_success.end()) continue;
      paired.first.push_back(trial->result.success);
      paired.second.push_back(partner->second);
    }
    if (!paired.first.empty()) pairs.push_back(std::move(paired));
  }
  report.pooled = RateOf(Outcomes(all));
  const MeanSuccess mean = MeanOverTasks(tasks);
  report.mean_success = mean.rate;
  report.mean_success_interval = mean.interval;
  if (!pairs.empty()) report.paired = TestPairs(pairs, rng.Derive(0, variant));
  return report;
}

}  // namespace

std::optional<double> IfFinite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

ExpertDistance DistanceOf(const TrialGroup& trials) {
  std::vector<double> position_mm;
  std::vector<double> rotation_deg;
  std::vector<double> gripper;
  for (const TrialRecord* trial : trials) {
    if (!trial->distance) continue;
    position_mm.push_back(trial->distance->position_mm);
    rotation_deg.push_back(trial->distance->rotation_deg);
    gripper.push_back(trial->distance->gripper);
  }
  return {IfFinite(Median(position_mm)), IfFinite(Median(rotation_deg)), IfFinite(Mean(gripper))};
}

nlohmann::json OrNull(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json ToJson(const ExpertDistance& distance) {
  return {{"position_mm", OrNull(distance.position_mm)},
          {"rotation_deg", OrNull(distance.rotation_deg)},
          {"gripper", OrNull(distance.gripper)}};
}

MeanSuccess MeanOverTasks(const std::vector<Rate>& tasks) {
  std::vector<TaskCount> counts;
  std::vector<double> rates;
  for (const Rate& task : tasks) {
    counts.push_back({task.successes, task.n});
    rates.push_back(task.rate);
  }
  return {.rate = Mean(rates), .interval = MeanRateInterval(counts)};
}

std::vector<SensitivityReport> ReportSensitivity(const std::vector<TrialRecord>& all,
                                                 const std::vector<TrialRecord>& base,
                                                 const Rng& rng) {
  std::vector<SensitivityReport> reports;
  std::vector<double> p_values;
  for (const auto& [variant, trials] : ByVariant(all)) {
    reports.push_back(ReportVariant(variant, trials, base, rng));
    p_values.push_back(reports.back().paired.test.p_value);
  }
  const std::vector<double> corrected = HolmCorrection(p_values);
  for (size_t i = 0; i < reports.size(); ++i) reports[i].p_holm = corrected[i];
  return reports;
}

std::vector<ConfidenceBin> ConfidenceBins(const TrialGroup& trials) {
  std::vector<std::vector<uint8_t>> outcomes(kNumConfidenceBins);
  for (const TrialRecord* trial : trials) {
    if (!IsValid(*trial)) continue;
    const double scaled = trial->result.confidence_mean * kNumConfidenceBins;
    const int bin = std::clamp(static_cast<int>(scaled), 0, kNumConfidenceBins - 1);
    outcomes[static_cast<size_t>(bin)].push_back(trial->result.success);
  }
  std::vector<ConfidenceBin> bins;
  for (int bin = 0; bin < kNumConfidenceBins; ++bin) {
    const std::vector<uint8_t>& inside = outcomes[static_cast<size_t>(bin)];
    if (inside.empty()) continue;
    bins.push_back({.low = static_cast<double>(bin) / kNumConfidenceBins,
                    .high = static_cast<double>(bin + 1) / kNumConfidenceBins,
                    .success = RateOf(inside)});
  }
  return bins;
}

ExecutionReport ReportExecution(const TrialGroup& trials, double period_s) {
  ExecutionReport report;
  std::vector<double> plan_s;
  std::vector<double> step_s;
  std::vector<double> sim_s;
  std::vector<double> stale_steps;
  for (const TrialRecord* trial : trials) {
    if (!IsValid(*trial)) continue;
    const TrialResult& result = trial->result;
    plan_s.push_back(result.plan_s);
    step_s.push_back(result.step_s);
    for (const auto& [stage, seconds] : result.stages_s) report.stages_s[stage] += seconds;
    sim_s.push_back(result.sim_s);
    stale_steps.push_back(result.stale_steps);
    report.limited_by_workspace += result.limited_by_workspace;
    report.limited_by_speed += result.limited_by_speed;
  }
  if (plan_s.empty()) return report;
  for (auto& [stage, seconds] : report.stages_s) seconds /= static_cast<double>(plan_s.size());
  report.plan_s = Mean(plan_s);
  report.step_s = Mean(step_s);
  report.sim_s = Mean(sim_s);
  report.stale_steps = Mean(stale_steps);
  report.stale_s = *report.stale_steps * period_s;
  if (period_s > 0) report.plan_steps = *report.plan_s / period_s;
  return report;
}

}  // namespace aim
