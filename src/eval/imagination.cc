#include "aim/eval/imagination.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "aim/base/text.h"
#include "aim/format/csv.h"
#include "aim/metrics/statistics.h"
#include "eval/report_parts.h"
#include "eval/task_groups.h"

namespace aim {
namespace {

LabelledSteps Summary(const std::vector<ImaginedStep>& steps) {
  std::vector<double> confidences;
  std::vector<double> off_mm;
  std::vector<double> off_deg;
  for (const ImaginedStep& step : steps) {
    confidences.push_back(step.confidence);
    if (step.off_mm) off_mm.push_back(*step.off_mm);
    if (step.off_deg) off_deg.push_back(*step.off_deg);
  }
  const auto count = static_cast<double>(steps.size());
  return {.n = static_cast<int>(steps.size()),
          .confidence = Mean(confidences),
          .undecodable = (count - static_cast<double>(off_mm.size())) / count,
          .off_mm = IfFinite(Median(off_mm)),
          .off_deg = IfFinite(Median(off_deg))};
}

ImaginedTask TaskOf(const std::string& name, const TrialGroup& trials) {
  std::vector<ImaginedStep> steps;
  ImaginedTask task;
  task.task = name;
  task.n = static_cast<int>(trials.size());
  for (const TrialRecord* trial : trials) {
    const std::vector<ImaginedStep>& labelled = trial->result.labelled;
    steps.insert(steps.end(), labelled.begin(), labelled.end());
    task.num_invalid += trial->result.termination == Termination::kInvalid;
  }
  task.steps = MeanOf(trials, [](auto& t) { return t.result.env_steps; });
  task.replans = MeanOf(trials, [](auto& t) { return t.result.replans; });
  task.confidence = MeanOf(trials, [](auto& t) { return t.result.confidence_mean; });
  task.undecodable = MeanOf(trials, [](auto& t) { return t.result.undecodable; });
  task.to_recorded = DistanceOf(trials);
  if (!steps.empty()) task.labelled = Summary(steps);
  return task;
}

nlohmann::json StepsJson(const LabelledSteps& steps) {
  return {{"n", steps.n},
          {"confidence", steps.confidence},
          {"undecodable", steps.undecodable},
          {"off_mm", OrNull(steps.off_mm)},
          {"off_deg", OrNull(steps.off_deg)}};
}

nlohmann::json ImaginedTaskJson(const ImaginedTask& task) {
  return {{"task", task.task},
          {"n", task.n},
          {"invalid", task.num_invalid},
          {"steps", OrNull(task.steps)},
          {"replans", OrNull(task.replans)},
          {"confidence", OrNull(task.confidence)},
          {"undecodable", OrNull(task.undecodable)},
          {"to_recorded", ToJson(task.to_recorded)},
          {"labelled", task.labelled ? StepsJson(*task.labelled) : nlohmann::json()}};
}

std::string Shown(const std::optional<double>& value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value.value_or(0));
  return value ? text : "-";
}

}  // namespace

ImaginationReport ReportImagination(const std::vector<TrialRecord>& trials) {
  ImaginationReport report;
  for (const auto& [name, group] : ByTask(trials)) report.tasks.push_back(TaskOf(name, group));
  std::map<int, std::vector<ImaginedStep>> by_step;
  for (const TrialRecord& trial : trials) {
    for (size_t i = 0; i < trial.result.labelled.size(); ++i) {
      by_step[static_cast<int>(i) + 1].push_back(trial.result.labelled[i]);
    }
  }
  for (const auto& [step, labelled] : by_step) report.drift.push_back({step, Summary(labelled)});
  return report;
}

nlohmann::json ToJson(const ImaginationReport& report) {
  nlohmann::json tasks = nlohmann::json::array();
  for (const ImaginedTask& task : report.tasks) tasks.push_back(ImaginedTaskJson(task));
  nlohmann::json drift = nlohmann::json::array();
  for (const ImaginedDrift& at : report.drift) {
    drift.push_back(StepsJson(at.labelled));
    drift.back()["step"] = at.step;
  }
  return {{"success", "unknown: what a model imagines is neither success nor failure"},
          {"tasks", std::move(tasks)},
          {"drift", std::move(drift)}};
}

std::string ImaginedCsv(const std::vector<TrialRecord>& trials, const std::string& policy) {
  std::string csv =
      "task,variation,seed,steps,replans,termination,policy,trial,first_frame,confidence_mean,"
      "confidence_min,undecodable,plan_to_recorded_mm,plan_to_recorded_deg,labelled_confidence,"
      "labelled_off_mm,labelled_off_deg,prompt\n";
  for (const TrialRecord& trial : trials) {
    const TrialResult& result = trial.result;
    const bool has_labels = !result.labelled.empty();
    const LabelledSteps labelled = has_labels ? Summary(result.labelled) : LabelledSteps{};
    const auto number = [](const std::optional<double>& value) {
      return value ? Shown(value, 4) : std::string();
    };
    const std::optional<PlanDistance>& distance = trial.distance;
    for (const std::string& cell :
         {trial.spec.task, std::to_string(trial.spec.variation), std::to_string(trial.spec.seed),
          std::to_string(result.env_steps), std::to_string(result.replans),
          std::string(ToWord(result.termination)), policy, std::to_string(trial.trial),
          HexText(result.first_frame_hash), Shown(result.confidence_mean, 4),
          Shown(result.confidence_min, 4), Shown(result.undecodable, 4),
          distance ? Shown(distance->position_mm, 4) : "",
          distance ? Shown(distance->rotation_deg, 4) : "",
          has_labels ? Shown(labelled.confidence, 4) : "", number(labelled.off_mm),
          number(labelled.off_deg)}) {
      csv += cell + ",";
    }
    csv += QuotedCell(result.prompt) + "\n";
  }
  return csv;
}

std::string ImaginationTable(const ImaginationReport& report) {
  char line[256];
  std::snprintf(line, sizeof line, "%-24s %5s %6s %8s %11s %14s %9s %10s\n", "task", "n", "steps",
                "replans", "confidence", "to recorded,mm", "label,mm", "label conf");
  std::string table = line;
  for (const ImaginedTask& task : report.tasks) {
    const std::optional<LabelledSteps>& labelled = task.labelled;
    std::snprintf(line, sizeof line, "%-24s %5d %6s %8s %11s %14s %9s %10s\n", task.task.c_str(),
                  task.n, Shown(task.steps, 1).c_str(), Shown(task.replans, 1).c_str(),
                  Shown(task.confidence, 2).c_str(), Shown(task.to_recorded.position_mm, 1).c_str(),
                  Shown(labelled ? labelled->off_mm : std::nullopt, 1).c_str(),
                  Shown(labelled ? std::optional(labelled->confidence) : std::nullopt, 2).c_str());
    table += line;
  }
  return table + "success: unknown, a model imagined what was seen\n";
}

}  // namespace aim
