#include "eval/report_charts.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/control/camera_wish.h"
#include "aim/report/bar_chart.h"
#include "aim/report/line_chart.h"
#include "aim/report/numbers.h"

namespace aim {
namespace {

constexpr const char* kBarAxis = "success, %, with 95 % interval";

RateBar Bar(const std::string& label, int num_trials, double rate, const Interval& interval) {
  return {.label = label,
          .rate = rate,
          .low = interval.low,
          .high = interval.high,
          .note = FewText(num_trials, interval.low, interval.high)};
}

std::string Bars(const std::vector<RateBar>& bars) {
  return RateBarsHtml(bars, {.axis = kBarAxis, .diamond = "", .dot = ""});
}

// The frames of "replan=8"; nothing of another knob.
std::optional<int> HorizonOf(const std::string& variant) {
  const std::string knob = "replan=";
  if (!variant.starts_with(knob)) return std::nullopt;
  int frames = 0;
  std::from_chars(variant.data() + knob.size(), variant.data() + variant.size(), frames);
  return frames;
}

std::string HorizonName(int frames) {
  return frames == 0 ? "whole plan" : CountText(frames, "frame");
}

}  // namespace

std::string HorizonChart(const RolloutReport& report) {
  std::vector<std::pair<int, RateBar>> rows;
  const auto add = [&](int frames, int count, double rate, const Interval& interval) {
    rows.emplace_back(frames, Bar(HorizonName(frames), count, rate, interval));
  };
  add(report.subject.replan, report.num_trials, report.mean_success, report.mean_success_interval);
  for (const SensitivityReport& other : report.sensitivity) {
    const std::optional<int> frames = HorizonOf(other.variant);
    if (!frames) continue;
    add(*frames, other.pooled.n, other.mean_success, other.mean_success_interval);
  }
  if (rows.size() < 2) return "";
  // A whole plan is the longest horizon.
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return b.first == 0 ? a.first != 0 : a.first != 0 && a.first < b.first;
  });
  std::vector<RateBar> bars;
  bars.reserve(rows.size());
  for (auto& [frames, bar] : rows) bars.push_back(std::move(bar));
  return Bars(bars);
}

std::string CameraAngleChart(const RolloutReport& report) {
  LineChart chart{.title = "success, %",
                  .x_name = "degrees about the scene's centre",
                  .lines = {{.name = "mean over tasks"},
                            {.name = "95 % interval, low", .is_reference = true},
                            {.name = "high", .is_reference = true}}};
  std::vector<std::pair<double, const CamerasReport*>> angles;
  for (const CamerasReport& cameras : report.cameras) {
    if (const auto angle = MovedDegrees(cameras.cameras)) angles.emplace_back(*angle, &cameras);
  }
  if (angles.size() < 2) return "";
  std::sort(angles.begin(), angles.end());
  for (const auto& [angle, cameras] : angles) {
    chart.lines[0].points.push_back({angle, 100 * cameras->mean_success});
    chart.lines[1].points.push_back({angle, 100 * cameras->mean_success_interval.low});
    chart.lines[2].points.push_back({angle, 100 * cameras->mean_success_interval.high});
  }
  chart.y_range = {0, 100};
  return LineChartHtml(chart);
}

std::string ConfidenceChart(const RolloutReport& report) {
  const std::vector<ConfidenceBin>& bins = report.confidence.bins;
  if (bins.size() < 2) return "";
  std::vector<RateBar> bars;
  for (const ConfidenceBin& bin : bins) {
    const Rate& success = bin.success;
    bars.push_back(Bar(NumberText(bin.low, 1) + " to " + NumberText(bin.high, 1), success.n,
                       success.rate, success.interval));
  }
  return Bars(bars);
}

std::vector<std::string> DriftCharts(const ImaginationReport& report) {
  if (report.drift.empty()) return {};
  LineChart off{.title = "tip of the label from the commanded one, mm, median",
                .x_name = "step",
                .lines = {{.name = ""}}};
  LineChart confidence{
      .title = "confidence of the label, mean", .x_name = "step", .lines = {{.name = ""}}};
  for (const ImaginedDrift& at : report.drift) {
    confidence.lines[0].points.push_back({static_cast<double>(at.step), at.labelled.confidence});
    if (at.labelled.off_mm) {
      off.lines[0].points.push_back({static_cast<double>(at.step), *at.labelled.off_mm});
    }
  }
  confidence.y_range = {0, 1};
  std::vector<std::string> charts = {LineChartHtml(confidence)};
  if (!off.lines[0].points.empty()) charts.insert(charts.begin(), LineChartHtml(off));
  return charts;
}

nlohmann::json HarnessSettings(const RolloutReport& report) {
  const nlohmann::json& options = report.subject.options;
  nlohmann::json rows = nlohmann::json::array();
  // An option that the report was made without (by a test, or earlier) is not shown.
  const auto add = [&](const char* key, const std::string& name, const std::string& unit) {
    const auto found = options.find(key);
    if (found == options.end()) return;
    const std::string value = found->is_string()         ? found->get<std::string>()
                              : found->is_number_float() ? ToText(found->get<double>())
                                                         : DumpJson(*found);
    rows.push_back({{"name", name}, {"value", value + unit}});
  };
  add("replan", "executed before a new look", " frames (0: the whole plan)");
  add("ramp_frames", "ramp into a plan", " frames");
  add("async", "a plan comes late by", " steps");
  add("min_confidence", "planned frames held below confidence", "");
  add("hold_steps", "last pose of a whole plan held", " steps");
  add("max_ik_failures", "refused targets in a row that end a trial", "");
  add("max_steps_factor", "budget, in lengths of the demonstration", "");
  add("max_speed_m_s", "fastest tip", " m/s (0: no limit)");
  add("workspace", "workspace", " m");
  add("seed_rule", "scene seeds", "");
  add("cameras", "cameras", "");
  rows.push_back({{"name", "between planned frames"},
                  {"value", "position linear, rotation SLERP, gripper in steps"}});
  rows.push_back({{"name", "frame period"}, {"value", ToText(report.subject.period_s) + " s"}});
  return rows;
}

}  // namespace aim
