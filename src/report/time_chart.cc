#include "aim/report/time_chart.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "aim/report/html.h"

namespace aim {
namespace {

constexpr double kTimeLeft = 40;  // where the axis begins
constexpr double kTimeWidth = 1000;
constexpr double kTimeTop = 8;
constexpr double kHeight = 90;
constexpr size_t kMostPoints = 400;

std::vector<TimePoint> Thinned(std::span<const TimePoint> points) {
  if (points.size() <= kMostPoints) return {points.begin(), points.end()};
  std::vector<TimePoint> thinned;
  for (size_t i = 0; i < kMostPoints; ++i) {
    const auto part =
        points.subspan(i * points.size() / kMostPoints,
                       (i + 1) * points.size() / kMostPoints - i * points.size() / kMostPoints);
    const auto lower = [](const TimePoint& a, const TimePoint& b) { return a.value < b.value; };
    TimePoint lowest = *std::min_element(part.begin(), part.end(), lower);
    lowest.marked = std::any_of(part.begin(), part.end(), [](auto& point) { return point.marked; });
    thinned.push_back(lowest);
  }
  return thinned;
}

double AtValue(double value) { return kTimeTop + kHeight * (1 - std::clamp(value, 0.0, 1.0)); }

}  // namespace

std::string TimeChartSvg(std::span<const TimePoint> all_points, double threshold,
                         const std::string& caption) {
  const std::vector<TimePoint> points = Thinned(all_points);
  const double begin_s = points.empty() ? 0 : points.front().time_s;
  const double span_s = points.empty() ? 0 : points.back().time_s - begin_s;
  const auto x = [&](double time_s) {
    return kTimeLeft + (span_s > 0 ? kTimeWidth * (time_s - begin_s) / span_s : 0);
  };
  std::ostringstream svg;
  svg << "<svg viewBox='0 0 1060 128' role=img font-size=12 fill='#1c2430'>";
  for (size_t i = 0; i < points.size(); ++i) {
    if (!points[i].marked) continue;
    const double left = x((points[i].time_s + points[i > 0 ? i - 1 : i].time_s) / 2);
    const double right =
        x((points[i].time_s + points[i + 1 < points.size() ? i + 1 : i].time_s) / 2);
    svg << "<rect x='" << left << "' y='" << kTimeTop << "' width='" << std::max(1.0, right - left)
        << "' height='" << kHeight << "' fill='#fae3b0'/>";
  }
  for (const double value : {0.0, 0.5, 1.0}) {
    svg << "<path d='M" << kTimeLeft << " " << AtValue(value) << "h" << kTimeWidth
        << "' stroke='#dfe5ec'/>"
        << SvgText(kTimeLeft - 6, AtValue(value) + 4, "end", NumberHtml(value, 1));
  }
  svg << "<path d='M" << kTimeLeft << " " << AtValue(threshold) << "h" << kTimeWidth
      << "' stroke='#9a7a1c' stroke-dasharray='4 4'/><polyline fill=none stroke='#23805f' "
         "stroke-width=2 points='";
  for (const TimePoint& point : points) {
    svg << (&point == points.data() ? "" : " ") << x(point.time_s) << "," << AtValue(point.value);
  }
  const double below = kTimeTop + kHeight + 16;
  svg << "'/>" << SvgText(kTimeLeft, below, "start", NumberHtml(begin_s, 2) + " s")
      << SvgText(kTimeLeft + kTimeWidth, below, "end", NumberHtml(begin_s + span_s, 2) + " s")
      << SvgText(kTimeLeft + kTimeWidth / 2, below, "middle", caption);
  return svg.str() + "</svg>";
}

}  // namespace aim
