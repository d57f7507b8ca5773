#include <sstream>

#include "aim/base/text.h"
#include "aim/eval/report.h"
#include "aim/report/bar_chart.h"
#include "aim/report/html.h"

namespace aim {
namespace {

std::string Headline(const RolloutReport& report) {
  std::ostringstream html;
  const Interval& interval = report.mean_success_interval;
  html << "<div class='card head'><div><div class=big>" << PercentHtml(report.mean_success)
       << "<small> %</small></div><div class='soft small'>mean success over " << report.tasks.size()
       << (report.tasks.size() == 1 ? " task" : " tasks") << "<br>95 % interval "
       << IntervalHtml(interval.low, interval.high) << " %</div></div><div class=facts>";
  html << FactHtml(std::to_string(report.num_trials), "trials")
       << FactHtml(PercentHtml(report.mean_gate) + " %", "gate: replayed demonstration")
       << FactHtml(PercentHtml(report.mean_null) + " %", "null: another scene's demonstration")
       << FactHtml(PercentHtml(report.mean_still) + " %", "standing still");
  const int replan = report.subject.replan;
  html << FactHtml(replan == 0 ? "1 plan" : "every " + std::to_string(replan),
                   replan == 0 ? "executed whole, no second look" : "frames a new look and plan")
       << FactHtml(NumberHtml(report.plan_s, 2) + " s", "for a plan") << "</div></div>";
  return html.str();
}

std::optional<double> RateOrNone(const std::optional<Rate>& rate) {
  return rate ? std::optional(rate->rate) : std::nullopt;
}

std::string TaskBars(const std::vector<TaskReport>& tasks) {
  std::vector<RateBar> bars;
  for (const TaskReport& task : tasks) {
    bars.push_back({.label = WordsHtml(task.task),
                    .rate = task.success.rate,
                    .low = task.success.interval.low,
                    .high = task.success.interval.high,
                    .diamond = RateOrNone(task.gate),
                    .dot = RateOrNone(task.null)});
  }
  return RateBarsSvg(bars, {.axis = "success, % &#8195; bar: policy with 95 % Wilson interval",
                            .diamond = "gate",
                            .dot = "null policy"});
}

std::string TaskRow(const TaskReport& task) {
  const Rate& success = task.success;
  std::ostringstream row;
  row << "<tr><td>" << WordsHtml(task.task) << (task.IsGateOk() ? "" : " &#9888;") << "<td>"
      << success.n << "<td><b>" << PercentHtml(success.rate) << " %</b><td>"
      << IntervalHtml(success.interval.low, success.interval.high) << "<td>"
      << PercentHtml(RateOrNone(task.gate)) << "<td>" << PercentHtml(RateOrNone(task.null))
      << "<td>" << PercentHtml(RateOrNone(task.still)) << "<td>"
      << (task.versus_null ? PValueHtml(task.versus_null->p_holm) : "&ndash;") << "<td>"
      << NumberHtml(task.replans, 1) << "<td>" << task.ik_failures << "<td>"
      << task.NumEndedBy(Termination::kTimeout) << "<td>" << task.NumEndedBy(Termination::kInvalid)
      << "<td>" << NumberHtml(task.steps, 0) << "<td>" << NumberHtml(task.to_expert.position_mm, 1)
      << "<td>" << NumberHtml(task.confidence, 2);
  return row.str();
}

std::string TaskTable(const RolloutReport& report) {
  std::ostringstream html;
  html << "<div class='card wide'><table><tr><th>task<th>n<th>success<th>95 % interval<th>gate"
          "<th>null<th>still<th>p vs null<th>replans<th>IK fails<th>time outs<th>invalid"
          "<th>steps<th>to expert, mm<th>confi&shy;dence";
  for (const TaskReport& task : report.tasks) html << TaskRow(task);
  const Interval& interval = report.mean_success_interval;
  html << "<tr class=mean><td>mean over tasks<td>" << report.num_trials << "<td>"
       << PercentHtml(report.mean_success) << " %<td>" << IntervalHtml(interval.low, interval.high)
       << "<td>" << PercentHtml(report.mean_gate) << "<td>" << PercentHtml(report.mean_null)
       << "<td>" << PercentHtml(report.mean_still) << "<td><td><td><td><td><td><td>"
       << NumberHtml(report.to_expert.position_mm, 1)
       << "<td></table>"
          "<p class='soft small'>Rates in percent. Gate: the scene's own demonstration through the "
          "same controller, budget and rules; &#9888; marks tasks where it stays below 90 %. Null: "
          "the demonstration of another scene. p: exact two-sided McNemar test against the null "
          "policy on the same seeds, Holm-corrected over tasks. Invalid trials were run twice and "
          "count as failures. To expert: median distance of the first plan from what the scripted "
          "expert did.</p></div>";
  return html.str();
}

std::string FilmstripCard(const FilmstripEntry& strip, const std::filesystem::path& folder) {
  std::ostringstream html;
  html << "<div class='card strip'><span class='badge "
       << (strip.success ? "good'>success" : "bad'>failure") << "</span><b>"
       << WordsHtml(strip.spec.task) << "</b> &ensp;&ldquo;" << EscapeHtml(strip.prompt)
       << "&rdquo;<div class='soft small'>seed " << strip.spec.seed << ", " << strip.steps
       << " steps, " << strip.replans << (strip.replans == 1 ? " replan" : " replans")
       << ", mean confidence " << NumberHtml(strip.confidence, 2);
  if (!strip.success) html << ", ended by " << WordsHtml(ToWord(strip.termination));
  for (size_t i = 0; i < strip.videos.size(); ++i) {
    html << " &middot; <a href=\"" << EscapeHtml(strip.videos[i]) << "\">video " << i << "</a>";
  }
  html << "</div>" << EmbeddedImageHtml(folder / strip.file, strip.file) << "</div>";
  return html.str();
}

std::string Filmstrips(const RolloutReport& report, const std::filesystem::path& folder) {
  if (report.filmstrips.empty()) return "";
  std::ostringstream html;
  html << "<h2>Episodes</h2><p class='soft small'>The first successes and failures of each task, "
          "from start (left) to end, one row a camera. Yellow: the path the plan asks for. Red, "
          "green and blue spots: the action image of the next planned pose (tip, tool x, tool "
          "z).</p>";
  for (const FilmstripEntry& strip : report.filmstrips) html << FilmstripCard(strip, folder);
  return html.str();
}

std::string Diagnostics(const RolloutReport& report) {
  const ControllerReport& controller = report.controller;
  const ExpertDistance& expert = report.to_expert;
  const ConfidenceReport& confidence = report.confidence;
  std::ostringstream html;
  html << "<h2>Where errors come from</h2><div class='card facts'>"
       << FactHtml(NumberHtml(controller.tracking_mm, 2) + " mm",
                   "controller: reached from commanded tip, moving")
       << FactHtml(NumberHtml(controller.final_mm, 2) + " mm",
                   "the same at rest (p95 " + NumberHtml(controller.final_mm_p95, 2) + ")")
       << FactHtml(NumberHtml(expert.position_mm, 1) + " mm / " +
                       NumberHtml(expert.rotation_deg, 1) + "&deg;",
                   "first plan from the expert, median")
       << FactHtml(PercentHtml(expert.gripper) + " %", "planned frames with the expert's gripper")
       << FactHtml(NumberHtml(confidence.success_mean, 2) + " / " +
                       NumberHtml(confidence.failure_mean, 2),
                   "mean confidence: successes / failures")
       << FactHtml(NumberHtml(confidence.spearman_with_success, 2),
                   "rank correlation of confidence and success")
       << "</div>";
  return html.str();
}

std::string TestRow(const std::string& name, const PairedTest& paired) {
  const Interval& interval = paired.difference.interval;
  std::ostringstream row;
  row << "<tr><td>" << name << "<td>" << PercentHtml(paired.difference.mean, 1) << "<td>"
      << PercentHtml(interval.low, 1) << " to " << PercentHtml(interval.high, 1) << "<td>"
      << paired.test.only_first << " : " << paired.test.only_second << "<td>"
      << PValueHtml(paired.test.p_value) << (paired.test.underpowered ? " (underpowered)" : "");
  return row.str();
}

std::string Comparisons(const RolloutReport& report) {
  std::string rows;
  if (report.versus_null) rows += TestRow("null policy", *report.versus_null);
  for (const Comparison& other : report.compare) {
    rows += TestRow(EscapeHtml(other.where) + " (" + EscapeHtml(other.policy) + ")", other.paired);
  }
  if (rows.empty()) return "";
  return "<h2>Against others on the same seeds</h2><div class='card wide'><table><tr><th>other"
         "<th>difference of mean success, points<th>95 % interval<th>won alone<th>McNemar p" +
         rows +
         "</table><p class='soft small'>Differences: this policy minus the other, paired bootstrap "
         "over tasks and trials. Won alone: scenes that only this policy : only the other solved. "
         "With fewer than six such scenes p cannot fall below 0.05.</p></div>";
}

std::string Invalid(const RolloutReport& report) {
  if (report.invalid.empty()) return "";
  std::ostringstream html;
  html << "<h2>Invalid trials</h2><div class='card warn'>";
  for (const InvalidTrial& trial : report.invalid) {
    html << "<p>" << WordsHtml(trial.spec.task) << ", seed " << trial.spec.seed << ": "
         << EscapeHtml(trial.error) << "</p>";
  }
  return html.str() + "</div>";
}

std::string Record(const ReportSubject& subject) {
  nlohmann::json record = subject.run_record;
  record["options"] = subject.options;
  return "<h2>Run</h2><div class=card><p class=small>" + EscapeHtml(subject.title) +
         ". Every number of this page is in report.json, every trial in episodes.csv.</p>"
         "<details><summary>run record</summary><pre>" +
         EscapeHtml(DumpJson(record, 2)) + "</pre></details></div>";
}

}  // namespace

std::string ReportHtml(const RolloutReport& report, const std::filesystem::path& folder) {
  const ReportSubject& subject = report.subject;
  std::string body = "<p class=soft>Closed loop in simulation, scene seeds from " +
                     subject.options.at("first_seed").dump() +
                     "; policy: " + EscapeHtml(subject.policy) + ".</p>";
  body += Headline(report);
  body += "<h2>Tasks</h2><div class=card>" + TaskBars(report.tasks) + "</div><p></p>";
  body += TaskTable(report);
  body += Invalid(report);
  body += Filmstrips(report, folder);
  body += Diagnostics(report);
  body += Comparisons(report);
  body += Record(subject);
  return PageHtml("Rollout of " + subject.title, body);
}

}  // namespace aim
