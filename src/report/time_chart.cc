#include "aim/report/time_chart.h"

#include <algorithm>
#include <vector>

#include "aim/report/line_chart.h"

namespace aim {
namespace {

std::vector<TimePoint> Thinned(std::span<const TimePoint> points) {
  std::vector<TimePoint> thinned;
  for (const std::span<const TimePoint> part : Stretches(points)) {
    const auto lower = [](const TimePoint& a, const TimePoint& b) { return a.value < b.value; };
    TimePoint lowest = *std::min_element(part.begin(), part.end(), lower);
    lowest.marked = std::any_of(part.begin(), part.end(), [](auto& point) { return point.marked; });
    thinned.push_back(lowest);
  }
  return thinned;
}

}  // namespace

std::string TimeChartHtml(std::span<const TimePoint> all_points, double threshold,
                          const std::string& title) {
  const std::vector<TimePoint> points = Thinned(all_points);
  LineChart chart{.title = title, .x_name = "time in seconds", .lines = {{.name = ""}}};
  chart.y_range = {0, 1};
  chart.threshold = threshold;
  for (size_t i = 0; i < points.size(); ++i) {
    chart.lines[0].points.push_back({points[i].time_s, points[i].value});
    if (!points[i].marked) continue;
    const TimePoint& before = points[i > 0 ? i - 1 : i];
    const TimePoint& after = points[i + 1 < points.size() ? i + 1 : i];
    chart.shaded.push_back(
        {(points[i].time_s + before.time_s) / 2, (points[i].time_s + after.time_s) / 2});
  }
  return LineChartHtml(chart);
}

}  // namespace aim
