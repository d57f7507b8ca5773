#include "aim/report/line_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "aim/report/numbers.h"
#include "aim/report/template.h"
#include "report/axis.h"

namespace aim {
namespace {

constexpr double kSide = 1000;    // of the drawing, which is stretched to its place
constexpr size_t kMostDots = 12;  // of a line; more would hide it
constexpr double kLogFrom = 10;   // between the largest and the smallest value
constexpr size_t kNumColors = 6;  // style.mustache

struct Axes {
  Axis x;
  Axis y;

  std::string X(double value) const { return NumberText(kSide * x.At(value), 1); }
  std::string Y(double value) const { return NumberText(kSide * (1 - y.At(value)), 1); }
};

bool IsFinite(const LinePoint& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

// Smallest and largest of one coordinate; [0, 1] of nothing.
std::pair<double, double> SpanOf(const std::vector<ChartLine>& lines, double LinePoint::*value) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const ChartLine& line : lines) {
    for (const LinePoint& point : line.points) {
      if (!IsFinite(point)) continue;
      low = std::min(low, point.*value);
      high = std::max(high, point.*value);
    }
  }
  return low <= high ? std::pair(low, high) : std::pair(0.0, 1.0);
}

Axes AxesOf(const LineChart& chart) {
  const auto [x_low, x_high] = chart.x_range.value_or(SpanOf(chart.lines, &LinePoint::x));
  const auto [y_low, y_high] = chart.y_range.value_or(SpanOf(chart.lines, &LinePoint::y));
  Axes axes{.x = ExactAxis(x_low, x_high), .y = {}};
  if (chart.prefer_log && y_low > 0 && y_high > kLogFrom * y_low) {
    axes.y = LogAxis(y_low, y_high);
  } else {
    axes.y = chart.y_range ? ExactAxis(y_low, y_high) : RoundAxis(y_low, y_high);
  }
  return axes;
}

// `from_end`: of an axis that begins at the bottom.
nlohmann::json Ticks(const Axis& axis, bool from_end) {
  nlohmann::json ticks = nlohmann::json::array();
  for (const double tick : axis.ticks) {
    const double at = from_end ? 1 - axis.At(tick) : axis.At(tick);
    ticks.push_back({{"at", NumberText(kSide * at, 1)},
                     {"percent", PercentText(at, 2)},
                     {"text", axis.TickText(tick)}});
  }
  return ticks;
}

nlohmann::json Line(const ChartLine& line, const std::string& style, const Axes& axes) {
  std::string points;
  nlohmann::json dots = nlohmann::json::array();
  for (const LinePoint& point : line.points) {
    if (!IsFinite(point)) continue;
    points += (points.empty() ? "" : " ") + axes.X(point.x) + "," + axes.Y(point.y);
    dots.push_back({{"left", PercentText(axes.x.At(point.x), 2)},
                    {"top", PercentText(1 - axes.y.At(point.y), 2)}});
  }
  if (dots.size() > (line.is_reference ? 1 : kMostDots)) dots = nlohmann::json::array();
  return {{"name", line.name}, {"style", style}, {"points", points}, {"dots", dots}};
}

nlohmann::json Lines(const LineChart& chart, const Axes& axes) {
  nlohmann::json lines = nlohmann::json::array();
  size_t color = 0;
  for (const ChartLine& line : chart.lines) {
    const std::string style =
        line.is_reference ? "reference" : "line" + std::to_string(color++ % kNumColors);
    lines.push_back(Line(line, style, axes));
  }
  return lines;
}

nlohmann::json Shaded(const LineChart& chart, const Axes& axes) {
  nlohmann::json shaded = nlohmann::json::array();
  for (const auto& [begin, end] : chart.shaded) {
    const double left = kSide * axes.x.At(begin);
    const double width = std::max(1.0, kSide * axes.x.At(end) - left);
    shaded.push_back({{"x", NumberText(left, 1)}, {"width", NumberText(width, 1)}});
  }
  return shaded;
}

nlohmann::json Bars(const LineChart& chart, const Axes& axes) {
  nlohmann::json bars = nlohmann::json::array();
  for (const ChartBar& bar : chart.bars) {
    const double left = kSide * axes.x.At(bar.x_begin);
    const double top = kSide * (1 - axes.y.At(bar.y));
    bars.push_back({{"x", NumberText(left, 1)},
                    {"width", NumberText(kSide * axes.x.At(bar.x_end) - left, 1)},
                    {"y", NumberText(top, 1)},
                    {"height", NumberText(kSide - top, 1)}});
  }
  return bars;
}

}  // namespace

std::string LineChartHtml(const LineChart& chart) {
  const Axes axes = AxesOf(chart);
  const bool is_named = std::any_of(chart.lines.begin(), chart.lines.end(),
                                    [](const ChartLine& line) { return !line.name.empty(); });
  const nlohmann::json threshold =
      chart.threshold ? nlohmann::json{{"y", axes.Y(*chart.threshold)}} : nlohmann::json();
  return RenderTemplate("line_chart", {{"title", chart.title},
                                       {"is_log", axes.y.is_log},
                                       {"x_name", chart.x_name},
                                       {"x_ticks", Ticks(axes.x, false)},
                                       {"y_ticks", Ticks(axes.y, true)},
                                       {"shaded", Shaded(chart, axes)},
                                       {"bars", Bars(chart, axes)},
                                       {"threshold", threshold},
                                       {"lines", Lines(chart, axes)},
                                       {"has_legend", is_named}});
}

}  // namespace aim
