#include "train/training_charts.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "aim/recipe/mode.h"
#include "aim/report/line_chart.h"

namespace aim {
namespace {

// The mean of each stretch, at its last step.
std::vector<LinePoint> ThinnedToMeans(std::span<const LinePoint> points) {
  std::vector<LinePoint> thinned;
  for (const std::span<const LinePoint> part : Stretches(points)) {
    double sum = 0;
    for (const LinePoint& point : part) sum += point.y;
    thinned.push_back({part.back().x, sum / static_cast<double>(part.size())});
  }
  return thinned;
}

LineChart ChartOverSteps(const std::string& title, int64_t last_step) {
  return {.title = title,
          .x_name = "step",
          .lines = {},
          .x_range = {{0, static_cast<double>(last_step)}}};
}

std::string StepChart(const RunHistory& history, const std::string& title,
                      double RunHistory::Step::*value, int64_t last_step) {
  LineChart chart = ChartOverSteps(title, last_step);
  chart.prefer_log = value == &RunHistory::Step::loss || value == &RunHistory::Step::grad_norm;
  std::vector<LinePoint> points;
  for (const RunHistory::Step& step : history.steps())
    points.push_back({static_cast<double>(step.train_step), step.*value});
  chart.lines.push_back({.name = "", .points = ThinnedToMeans(points)});
  return LineChartHtml(chart);
}

// Empty where no step was measured.
std::string DataWaitChart(const RunHistory& history, int64_t last_step) {
  LineChart chart = ChartOverSteps("time spent fetching clips, %", last_step);
  std::vector<LinePoint> points;
  for (const RunHistory::Step& step : history.steps()) {
    if (step.data_wait)
      points.push_back({static_cast<double>(step.train_step), 100 * *step.data_wait});
  }
  if (points.empty()) return "";
  chart.lines.push_back({.name = "", .points = ThinnedToMeans(points)});
  return LineChartHtml(chart);
}

// A curve for each part of the loss; empty where none was written down.
std::string PartsChart(const RunHistory& history, const std::string& title,
                       nlohmann::json RunHistory::Step::*parts, int64_t last_step) {
  std::map<std::string, std::vector<LinePoint>> lines;
  for (const RunHistory::Step& step : history.steps()) {
    for (const auto& [name, loss] : (step.*parts).items()) {
      if (loss.is_number())
        lines[name].push_back({static_cast<double>(step.train_step), loss.get<double>()});
    }
  }
  if (lines.empty()) return "";
  LineChart chart = ChartOverSteps(title, last_step);
  chart.prefer_log = true;
  for (const auto& [name, points] : lines)
    chart.lines.push_back({.name = name, .points = ThinnedToMeans(points)});
  return LineChartHtml(chart);
}

// A number of a mode's validation, times `scale`; not a number where it was not measured.
struct Measure {
  const char* title;
  nlohmann::json::json_pointer place;
  double scale = 1;
  // What it is compared with, the same in all modes.
  nlohmann::json::json_pointer reference = nlohmann::json::json_pointer();
  const char* reference_name = "";
  std::optional<std::pair<double, double>> range = {};  // of the axis; else that of the values
};

const std::vector<Measure>& Measures() {
  using Place = nlohmann::json::json_pointer;
  static const std::vector<Measure> kMeasures = {
      {.title = "tip from the recorded one, median, mm", .place = Place("/position_mm/median")},
      {.title = "rotation from the recorded one, median, degrees",
       .place = Place("/rotation_deg/median")},
      {.title = "frames whose pose cannot be decoded, %",
       .place = Place("/not_decodable"),
       .scale = 100,
       .range = {{0, 100}}},
      {.title = "pictures: PSNR, dB",
       .place = Place("/psnr_db"),
       .reference = Place("/static_copy_psnr_db"),
       .reference_name = "first picture kept"}};
  return kMeasures;
}

LinePoint PointOf(const RunHistory::Validation& validation, const std::string& mode,
                  const nlohmann::json::json_pointer& place, double scale) {
  const auto found = validation.modes.find(mode);
  const std::optional<double> value =
      found == validation.modes.end() ? std::nullopt : MeasuredAt(*found, place);
  return {static_cast<double>(validation.train_step),
          value ? scale * *value : std::numeric_limits<double>::quiet_NaN()};
}

bool HasNumber(const std::vector<LinePoint>& points) {
  return std::any_of(points.begin(), points.end(),
                     [](const LinePoint& point) { return point.y == point.y; });
}

// Empty where no mode has it.
std::string ValidationChart(const RunHistory& history, const Measure& measure, int64_t last_step) {
  LineChart chart = ChartOverSteps(measure.title, last_step);
  chart.y_range = measure.range;
  std::vector<LinePoint> reference;
  for (const Mode& mode : AllModes()) {
    ChartLine line{.name = mode.name};
    std::vector<LinePoint> compared;
    for (const RunHistory::Validation& validation : history.validations()) {
      line.points.push_back(PointOf(validation, mode.name, measure.place, measure.scale));
      compared.push_back(PointOf(validation, mode.name, measure.reference, measure.scale));
    }
    if (HasNumber(line.points)) chart.lines.push_back(std::move(line));
    if (HasNumber(compared)) reference = std::move(compared);
  }
  if (chart.lines.empty()) return "";
  if (!reference.empty()) {
    chart.lines.push_back(
        {.name = measure.reference_name, .points = std::move(reference), .is_reference = true});
  }
  return LineChartHtml(chart);
}

}  // namespace

std::string StepChartsHtml(const RunHistory& history, int64_t last_step) {
  return StepChart(history, "loss", &RunHistory::Step::loss, last_step) +
         PartsChart(history, "loss by mode", &RunHistory::Step::loss_of_mode, last_step) +
         PartsChart(history, "loss by noise level, sigma", &RunHistory::Step::loss_of_noise,
                    last_step) +
         StepChart(history, "learning rate", &RunHistory::Step::lr, last_step) +
         StepChart(history, "length of the gradient", &RunHistory::Step::grad_norm, last_step) +
         StepChart(history, "samples a second", &RunHistory::Step::samples_per_s, last_step) +
         DataWaitChart(history, last_step);
}

std::string ValidationChartsHtml(const RunHistory& history, int64_t last_step) {
  std::string html;
  for (const Measure& measure : Measures()) html += ValidationChart(history, measure, last_step);
  return html;
}

}  // namespace aim
