// Curves over a common axis, as a part of a page. It fills the width it is given; its words keep
// their size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace aim {

struct LinePoint {
  double x = 0;
  double y = 0;
};

struct ChartLine {
  std::string name;  // in the legend, which a chart of one line without a name does without
  std::vector<LinePoint> points = {};  // x rises; what is not finite is left out
  bool is_reference = false;           // dashed and grey
};

// A bar of a histogram, from the axis up to `y`.
struct ChartBar {
  double x_begin = 0;
  double x_end = 0;
  double y = 0;
};

struct LineChart {
  std::string title;   // what is drawn, with its unit
  std::string x_name;  // with its unit
  std::vector<ChartLine> lines;
  std::optional<std::pair<double, double>> x_range = {};  // else that of the points
  std::optional<std::pair<double, double>> y_range = {};  // the same
  bool prefer_log = false;  // of y, where all values are positive and differ more than tenfold
  std::vector<std::pair<double, double>> shaded = {};  // stretches of x
  std::vector<ChartBar> bars = {};                     // with x_range and y_range
  std::optional<double> threshold = {};                // of y, dashed
};

// Points of a line that a chart draws apart; of more, each stands for a stretch of them.
inline constexpr size_t kMostLinePoints = 400;

// Consecutive points in at most kMostLinePoints stretches of about one length; one point each where
// there are no more.
template <class Point>
std::vector<std::span<const Point>> Stretches(std::span<const Point> points) {
  const size_t count = std::min(points.size(), kMostLinePoints);
  std::vector<std::span<const Point>> stretches;
  stretches.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t begin = i * points.size() / count;
    stretches.push_back(points.subspan(begin, (i + 1) * points.size() / count - begin));
  }
  return stretches;
}

// All words are text.
std::string LineChartHtml(const LineChart& chart);

}  // namespace aim
