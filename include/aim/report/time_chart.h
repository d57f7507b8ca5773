// A fraction over time, as a part of a page.
#pragma once

#include <span>
#include <string>

namespace aim {

struct TimePoint {
  double time_s = 0;
  double value = 0;     // [0, 1]
  bool marked = false;  // shaded behind the line
};

// A line through the points, whose times rise, on an axis from the first to the last; `threshold`
// is dashed, the stretches around marked points are shaded. Of many points the lowest of each of
// 400 stretches is drawn, marked if one of them is. `title` is text.
std::string TimeChartHtml(std::span<const TimePoint> points, double threshold,
                          const std::string& title);

}  // namespace aim
