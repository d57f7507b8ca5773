#include <iterator>
#include <utility>
#include <vector>

#include "aim/base/text.h"
#include "aim/eval/report.h"
#include "aim/report/bar_chart.h"
#include "aim/report/data_uri.h"
#include "aim/report/numbers.h"
#include "aim/report/template.h"
#include "eval/report_charts.h"

namespace aim {
namespace {

std::optional<double> RateOrNone(const std::optional<Rate>& rate) {
  return rate ? std::optional(rate->rate) : std::nullopt;
}

nlohmann::json Headline(const RolloutReport& report) {
  const int replan = report.subject.replan;
  return {
      {{"value", std::to_string(report.num_trials)}, {"name", "trials"}},
      {{"value", PercentText(report.mean_gate) + " %"}, {"name", "gate: replayed demonstration"}},
      {{"value", PercentText(report.mean_null) + " %"},
       {"name", "null: another scene's demonstration"}},
      {{"value", PercentText(report.mean_still) + " %"}, {"name", "standing still"}},
      {{"value", replan == 0 ? "1 plan" : "every " + std::to_string(replan)},
       {"name", replan == 0 ? "executed whole, no second look" : "frames a new look and plan"}},
      {{"value", NumberText(report.plan_s, 2) + " s"}, {"name", "for a plan"}}};
}

std::string TaskBars(const std::vector<TaskReport>& tasks) {
  std::vector<RateBar> bars;
  for (const TaskReport& task : tasks) {
    const Interval& interval = task.success.interval;
    bars.push_back({.label = WordsText(task.task),
                    .rate = task.success.rate,
                    .low = interval.low,
                    .high = interval.high,
                    .diamond = RateOrNone(task.gate),
                    .dot = RateOrNone(task.null),
                    .note = FewText(task.success.n, interval.low, interval.high)});
  }
  return RateBarsHtml(bars, {.axis = "success, %; bar: policy with 95 % Wilson interval",
                             .diamond = "gate",
                             .dot = "null policy"});
}

std::string CamerasBars(const std::vector<CamerasReport>& reports) {
  std::vector<RateBar> bars;
  for (const CamerasReport& cameras : reports) {
    const Interval& interval = cameras.mean_success_interval;
    bars.push_back({.label = cameras.cameras,
                    .rate = cameras.mean_success,
                    .low = interval.low,
                    .high = interval.high,
                    .note = FewText(cameras.pooled.n, interval.low, interval.high)});
  }
  return RateBarsHtml(
      bars, {.axis = "mean success over tasks, %, with 95 % interval", .diamond = "", .dot = ""});
}

nlohmann::json TaskRow(const TaskReport& task) {
  const Rate& success = task.success;
  return {{"task", WordsText(task.task)},
          {"is_gate_ok", task.IsGateOk()},
          {"n", success.n},
          {"success", PercentText(success.rate)},
          {"interval", IntervalText(success.interval.low, success.interval.high)},
          {"gate", PercentText(RateOrNone(task.gate))},
          {"null", PercentText(RateOrNone(task.null))},
          {"still", PercentText(RateOrNone(task.still))},
          {"p_holm",
           task.versus_null ? PValueText(task.versus_null->p_holm) : std::string(kNotMeasured)},
          {"replans", NumberText(task.replans, 1)},
          {"ik_failures", task.ik_failures},
          {"timeouts", task.NumEndedBy(Termination::kTimeout)},
          {"invalid_trials", task.NumEndedBy(Termination::kInvalid)},
          {"steps", NumberText(task.steps, 0)},
          {"to_expert_mm", NumberText(task.to_expert.position_mm, 1)},
          {"confidence", NumberText(task.confidence, 2)}};
}

nlohmann::json EpisodeCard(const FilmstripEntry& strip, const std::filesystem::path& folder,
                           PageVideos& videos) {
  return {{"is_success", strip.success},
          {"badge", strip.success ? "good" : "bad"},
          {"outcome", strip.success ? "success" : "failure"},
          {"task", WordsText(strip.spec.task)},
          {"prompt", strip.prompt},
          {"seed", strip.spec.seed},
          {"cameras", strip.spec.cameras == kUsualCameras ? "" : ", cameras " + strip.spec.cameras},
          {"steps", strip.steps},
          {"replans", CountText(strip.replans, "replan")},
          {"confidence", NumberText(strip.confidence, 2)},
          {"termination", WordsText(ToWord(strip.termination))},
          {"file", strip.file},
          {"picture", DataUri(folder / strip.file)},
          {"videos", videos.Values(strip.videos)}};
}

nlohmann::json Episodes(const RolloutReport& report, const std::filesystem::path& folder) {
  PageVideos videos(folder);
  nlohmann::json episodes = nlohmann::json::array();
  for (const FilmstripEntry& strip : report.filmstrips)
    episodes.push_back(EpisodeCard(strip, folder, videos));
  return episodes;
}

nlohmann::json Diagnostics(const RolloutReport& report) {
  const ControllerReport& controller = report.controller;
  const ExpertDistance& expert = report.to_expert;
  const ConfidenceReport& confidence = report.confidence;
  const nlohmann::json facts = {
      {{"value", NumberText(controller.tracking_mm, 2) + " mm"},
       {"name", "controller: reached from commanded tip, moving"}},
      {{"value", NumberText(controller.final_mm, 2) + " mm"},
       {"name", "the same at rest (p95 " + NumberText(controller.final_mm_p95, 2) + ")"}},
      {{"value", NumberText(expert.position_mm, 1) + " mm / " + NumberText(expert.rotation_deg, 1) +
                     "\u00B0"},
       {"name", "first plan from the expert, median"}},
      {{"value", PercentText(expert.gripper) + " %"},
       {"name", "planned frames with the expert's gripper"}},
      {{"value",
        NumberText(confidence.success_mean, 2) + " / " + NumberText(confidence.failure_mean, 2)},
       {"name", "mean confidence: successes / failures"}},
      {{"value", NumberText(confidence.spearman_with_success, 2)},
       {"name", "rank correlation of confidence and success"}}};
  return {{"facts", facts}};
}

// ": decode 0.01 s, denoise 0.12 s", if the policy told.
std::string StageWords(const ExecutionReport& execution) {
  std::vector<std::string> words;
  for (const auto& [stage, seconds] : execution.stages_s) {
    words.push_back(stage + " " + NumberText(seconds, 2) + " s");
  }
  return words.empty() ? "" : "; " + Join(words);
}

// Where the time goes, and how old what the robot acts on is.
nlohmann::json Timing(const ExecutionReport& execution) {
  return {{{"value", NumberText(execution.plan_s, 2) + " s"},
           {"name", "to plan: " + NumberText(execution.plan_steps, 1) +
                        " steps of a robot that does not wait" + StageWords(execution)}},
          {{"value", NumberText(execution.step_s, 0, 1000) + " ms"},
           {"name", "to execute a step in the simulator and observe"}},
          {{"value", NumberText(execution.sim_s, 1) + " s"}, {"name", "simulated, a trial"}},
          {{"value", NumberText(execution.stale_steps, 1) + " steps"},
           {"name",
            "age of what a target was planned from (" + NumberText(execution.stale_s, 2) + " s)"}},
          {{"value", std::to_string(execution.limited_by_workspace) + " / " +
                         std::to_string(execution.limited_by_speed)},
           {"name", "targets changed by the workspace / the speed limit"}}};
}

nlohmann::json SensitivityRows(const RolloutReport& report) {
  nlohmann::json rows = nlohmann::json::array();
  for (const SensitivityReport& other : report.sensitivity) {
    const Interval& interval = other.paired.difference.interval;
    rows.push_back({{"variant", other.variant},
                    {"n", other.pooled.n},
                    {"success", PercentText(other.mean_success)},
                    {"interval", IntervalText(other.mean_success_interval.low,
                                              other.mean_success_interval.high)},
                    {"difference", PercentText(other.paired.difference.mean, 1)},
                    {"difference_interval",
                     PercentText(interval.low, 1) + " to " + PercentText(interval.high, 1)},
                    {"won_alone", std::to_string(other.paired.test.only_first) + " : " +
                                      std::to_string(other.paired.test.only_second)},
                    {"p", PValueText(other.p_holm)},
                    {"is_underpowered", other.paired.test.underpowered}});
  }
  return rows;
}

// Those that there is something to compare in.
nlohmann::json Curves(const RolloutReport& report) {
  nlohmann::json curves = nlohmann::json::array();
  for (const auto& [title, chart] :
       {std::pair("Frames executed before a new look", HorizonChart(report)),
        std::pair("Degrees that the cameras were moved", CameraAngleChart(report)),
        std::pair("Mean confidence of a trial's plans", ConfidenceChart(report))}) {
    if (!chart.empty()) curves.push_back({{"title", title}, {"chart_html", chart}});
  }
  return curves;
}

nlohmann::json TestRow(const std::string& name, const PairedTest& paired) {
  const Interval& interval = paired.difference.interval;
  return {{"other", name},
          {"difference", PercentText(paired.difference.mean, 1)},
          {"interval", PercentText(interval.low, 1) + " to " + PercentText(interval.high, 1)},
          {"won_alone", std::to_string(paired.test.only_first) + " : " +
                            std::to_string(paired.test.only_second)},
          {"p", PValueText(paired.test.p_value)},
          {"is_underpowered", paired.test.underpowered}};
}

nlohmann::json Comparisons(const RolloutReport& report) {
  nlohmann::json rows = nlohmann::json::array();
  if (report.versus_null) rows.push_back(TestRow("null policy", *report.versus_null));
  for (const Comparison& other : report.compare)
    rows.push_back(TestRow(other.where + " (" + other.policy + ")", other.paired));
  return rows;
}

nlohmann::json Invalid(const RolloutReport& report) {
  nlohmann::json trials = nlohmann::json::array();
  for (const InvalidTrial& trial : report.invalid) {
    trials.push_back(
        {{"task", WordsText(trial.spec.task)}, {"seed", trial.spec.seed}, {"error", trial.error}});
  }
  return trials;
}

nlohmann::json Means(const RolloutReport& report) {
  const Interval& interval = report.mean_success_interval;
  const std::string few = FewText(report.num_trials, interval.low, interval.high);
  return {{"mean_success", PercentText(report.mean_success)},
          {"num_tasks", CountText(std::ssize(report.tasks), "task")},
          {"num_trials", report.num_trials},
          {"mean_interval", IntervalText(interval.low, interval.high)},
          {"has_few", !few.empty()},
          {"few", few},
          {"mean_gate", PercentText(report.mean_gate)},
          {"mean_null", PercentText(report.mean_null)},
          {"mean_still", PercentText(report.mean_still)},
          {"mean_to_expert_mm", NumberText(report.to_expert.position_mm, 1)}};
}

std::string Record(const ReportSubject& subject) {
  nlohmann::json record = subject.run_record;
  record["options"] = subject.options;
  return DumpJson(record, 2);
}

nlohmann::json ImaginedTaskRow(const ImaginedTask& task) {
  const std::optional<LabelledSteps>& labelled = task.labelled;
  const auto of_labels = [&](auto member) {
    return labelled ? std::optional<double>((*labelled).*member) : std::nullopt;
  };
  return {{"task", WordsText(task.task)},
          {"n", task.n},
          {"invalid_trials", task.num_invalid},
          {"steps", NumberText(task.steps, 0)},
          {"replans", NumberText(task.replans, 1)},
          {"confidence", NumberText(task.confidence, 2)},
          {"to_recorded_mm", NumberText(task.to_recorded.position_mm, 1)},
          {"off_mm", NumberText(labelled ? labelled->off_mm : std::nullopt, 1)},
          {"off_deg", NumberText(labelled ? labelled->off_deg : std::nullopt, 1)},
          {"labelled_confidence", NumberText(of_labels(&LabelledSteps::confidence), 2)},
          {"labelled_undecodable", PercentText(of_labels(&LabelledSteps::undecodable))}};
}

std::string ImaginedHtml(const RolloutReport& report, const std::filesystem::path& folder) {
  const ReportSubject& subject = report.subject;
  nlohmann::json values = {{"title", "Imagined rollout of " + subject.title},
                           {"reload_s", nullptr},
                           {"policy", subject.policy},
                           {"num_trials", CountText(report.num_trials, "trial")},
                           {"subject", subject.title},
                           {"record", Record(subject)}};
  values["tasks"] = nlohmann::json::array();
  for (const ImaginedTask& task : report.imagination->tasks) {
    values["tasks"].push_back(ImaginedTaskRow(task));
  }
  values["curves"] = nlohmann::json::array();
  for (const std::string& chart : DriftCharts(*report.imagination)) {
    values["curves"].push_back({{"chart_html", chart}});
  }
  values["has_curves"] = !values["curves"].empty();
  values["invalid"] = Invalid(report);
  values["has_invalid"] = !report.invalid.empty();
  values["episodes"] = Episodes(report, folder);
  values["has_episodes"] = !report.filmstrips.empty();
  values["timing"] = {{{"facts", Timing(report.execution)}}};
  values["harness"] = HarnessSettings(report);
  return RenderTemplate("imagination", values);
}

}  // namespace

std::string ReportHtml(const RolloutReport& report, const std::filesystem::path& folder) {
  if (report.imagination) return ImaginedHtml(report, folder);
  const ReportSubject& subject = report.subject;
  nlohmann::json values = Means(report);
  values["title"] = "Rollout of " + subject.title;
  values["reload_s"] = nullptr;
  values["first_seed"] = subject.options.at("first_seed");
  values["policy"] = subject.policy;
  values["facts"] = Headline(report);
  values["bars_html"] = TaskBars(report.tasks);
  values["has_cameras"] = !report.cameras.empty();
  values["cameras_html"] = report.cameras.empty() ? "" : CamerasBars(report.cameras);
  values["tasks"] = nlohmann::json::array();
  for (const TaskReport& task : report.tasks) values["tasks"].push_back(TaskRow(task));
  values["invalid"] = Invalid(report);
  values["has_invalid"] = !report.invalid.empty();
  values["episodes"] = Episodes(report, folder);
  values["has_episodes"] = !report.filmstrips.empty();
  values["diagnostics"] = Diagnostics(report);
  values["timing"] = {{{"facts", Timing(report.execution)}}};
  values["harness"] = HarnessSettings(report);
  values["sensitivity"] = SensitivityRows(report);
  values["has_sensitivity"] = !report.sensitivity.empty();
  values["curves"] = Curves(report);
  values["has_curves"] = !values["curves"].empty();
  values["comparisons"] = Comparisons(report);
  values["has_comparisons"] = !values["comparisons"].empty();
  values["subject"] = subject.title;
  values["record"] = Record(subject);
  return RenderTemplate("rollout", values);
}

}  // namespace aim
