#include <nlohmann/json.hpp>

#include "aim/eval/report.h"
#include "eval/report_parts.h"

namespace aim {
namespace {

using nlohmann::json;

void AddIfMeasured(json& object, const char* key, const std::optional<double>& value) {
  if (value) object[key] = *value;
}

json TaskJson(const TaskReport& task) {
  json object = ToJson(task.success);
  object["task"] = task.task;
  object["terminations"] = json::object();
  for (const auto& [termination, count] : task.terminations) {
    object["terminations"][ToWord(termination)] = count;
  }
  object["timeout_frac"] = task.timeout_frac;
  object["ik_failures"] = task.ik_failures;
  object["ik_fail_rate"] = task.ik_fail_rate;
  object["refusals"] = json::object();
  for (const auto& [outcome, count] : task.refusals) object["refusals"][ToWord(outcome)] = count;
  object["steps"] = OrNull(task.steps);
  object["replans"] = OrNull(task.replans);
  object["plan_s"] = OrNull(task.plan_s);
  object["demo_frames"] = OrNull(task.demo_frames);
  object["tracking_mm"] = OrNull(task.tracking_mm);
  object["final_error_mm"] = OrNull(task.final_error_mm);
  object["confidence"] = OrNull(task.confidence);
  object["undecodable"] = OrNull(task.undecodable);
  object["to_expert"] = ToJson(task.to_expert);
  if (task.gate) object["gate"] = ToJson(*task.gate);
  if (task.null) object["null"] = ToJson(*task.null);
  if (task.still) object["still"] = ToJson(*task.still);
  if (task.gate) object["gate_ok"] = task.IsGateOk();
  if (task.versus_null) {
    object["versus_null"] = ToJson(task.versus_null->test);
    object["versus_null"]["p_holm"] = task.versus_null->p_holm;
  }
  return object;
}

json FilmstripJson(const FilmstripEntry& entry) {
  return {{"file", entry.file},
          {"videos", entry.videos},
          {"task", entry.spec.task},
          {"seed", entry.spec.seed},
          {"variation", entry.spec.variation},
          {"cameras", entry.spec.cameras},
          {"success", entry.success},
          {"termination", ToWord(entry.termination)},
          {"steps", entry.steps},
          {"replans", entry.replans},
          {"confidence", entry.confidence},
          {"prompt", entry.prompt}};
}

json CamerasJson(const CamerasReport& cameras) {
  json tasks = json::object();
  for (const auto& [task, rate] : cameras.tasks) tasks[task] = ToJson(rate);
  return {{"cameras", cameras.cameras},
          {"pooled", ToJson(cameras.pooled)},
          {"mean_success", cameras.mean_success},
          {"mean_success_interval", ToJson(cameras.mean_success_interval)},
          {"tasks", std::move(tasks)}};
}

json SensitivityJson(const SensitivityReport& variant) {
  json object = ToJson(variant.paired);
  object["variant"] = variant.variant;
  object["pooled"] = ToJson(variant.pooled);
  object["mean_success"] = variant.mean_success;
  object["mean_success_interval"] = ToJson(variant.mean_success_interval);
  object["p_holm"] = variant.p_holm;
  return object;
}

json ConfidenceBinJson(const ConfidenceBin& bin) {
  return {{"low", bin.low}, {"high", bin.high}, {"success", ToJson(bin.success)}};
}

json ExecutionJson(const ExecutionReport& execution) {
  return {{"plan_s", OrNull(execution.plan_s)},
          {"plan_steps", OrNull(execution.plan_steps)},
          {"stages_s", execution.stages_s},
          {"step_s", OrNull(execution.step_s)},
          {"sim_s", OrNull(execution.sim_s)},
          {"stale_steps", OrNull(execution.stale_steps)},
          {"stale_s", OrNull(execution.stale_s)},
          {"limited_by_workspace", execution.limited_by_workspace},
          {"limited_by_speed", execution.limited_by_speed}};
}

json InvalidJson(const InvalidTrial& trial) {
  return {{"task", trial.spec.task},
          {"seed", trial.spec.seed},
          {"variation", trial.spec.variation},
          {"cameras", trial.spec.cameras},
          {"error", trial.error}};
}

template <class Item, class Function>
json ListJson(const std::vector<Item>& items, Function&& to_json) {
  json list = json::array();
  for (const Item& item : items) list.push_back(to_json(item));
  return list;
}

}  // namespace

json ToJson(const RolloutReport& report) {
  const ReportSubject& subject = report.subject;
  json object = {{"format", report.imagination ? kImaginationFormat : kRolloutFormat},
                 {"title", subject.title},
                 {"policy", subject.policy},
                 {"replan", subject.replan},
                 {"num_trials", report.num_trials},
                 {"options", subject.options},
                 {"run", subject.run_record},
                 {"num_reruns", report.num_reruns}};
  if (report.imagination) {
    object.update(ToJson(*report.imagination));
    object["to_recorded"] = ToJson(report.to_expert);
    object["execution"] = ExecutionJson(report.execution);
    object["filmstrips"] = ListJson(report.filmstrips, FilmstripJson);
    for (json& strip : object["filmstrips"]) strip.erase("success");
    object["invalid"] = ListJson(report.invalid, InvalidJson);
    return object;
  }
  object["pooled"] = ToJson(report.pooled);
  object["tasks"] = ListJson(report.tasks, TaskJson);
  object["mean_success"] = report.mean_success;
  object["mean_success_interval"] = ToJson(report.mean_success_interval);
  object["mean_success_gated"] = OrNull(report.mean_success_gated);
  AddIfMeasured(object, "mean_gate", report.mean_gate);
  AddIfMeasured(object, "mean_null", report.mean_null);
  AddIfMeasured(object, "mean_still", report.mean_still);
  if (report.versus_null) object["versus_null"] = ToJson(*report.versus_null);
  const ConfidenceReport& confidence = report.confidence;
  object["confidence"] = {{"success_mean", OrNull(confidence.success_mean)},
                          {"failure_mean", OrNull(confidence.failure_mean)},
                          {"spearman_with_success", OrNull(confidence.spearman_with_success)},
                          {"bins", ListJson(confidence.bins, ConfidenceBinJson)}};
  object["controller"] = {{"tracking_mm", OrNull(report.controller.tracking_mm)},
                          {"final_mm", OrNull(report.controller.final_mm)},
                          {"final_mm_p95", OrNull(report.controller.final_mm_p95)}};
  object["to_expert"] = ToJson(report.to_expert);
  object["plan_s"] = OrNull(report.plan_s);
  object["filmstrips"] = ListJson(report.filmstrips, FilmstripJson);
  object["invalid"] = ListJson(report.invalid, InvalidJson);
  object["cameras"] = ListJson(report.cameras, CamerasJson);
  object["execution"] = ExecutionJson(report.execution);
  object["sensitivity"] = ListJson(report.sensitivity, SensitivityJson);
  object["compare"] =
      ListJson(report.compare, [](const Comparison& comparison) { return ToJson(comparison); });
  return object;
}

}  // namespace aim
