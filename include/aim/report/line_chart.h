// Curves over a common axis, as a part of a page. It fills the width it is given; its words keep
// their size.
#pragma once

#include <optional>
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

struct LineChart {
  std::string title;   // what is drawn, with its unit
  std::string x_name;  // with its unit
  std::vector<ChartLine> lines;
  std::optional<std::pair<double, double>> x_range = {};  // else that of the points
  std::optional<std::pair<double, double>> y_range = {};  // the same
  bool prefer_log = false;  // of y, where all values are positive and differ more than tenfold
  std::vector<std::pair<double, double>> shaded = {};  // stretches of x
  std::optional<double> threshold = {};                // of y, dashed
};

// All words are text.
std::string LineChartHtml(const LineChart& chart);

}  // namespace aim
