#include "aim/media/frame_times.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "aim/base/error.h"

namespace aim {
namespace {

bool AreEven(std::span<const double> times_s, double fps) {
  for (size_t k = 0; k < times_s.size(); ++k) {
    const double expected_s = times_s[0] + static_cast<double>(k) / fps;
    if (!(std::abs(times_s[k] - expected_s) <= 0.5 / fps)) return false;
  }
  return true;
}

std::vector<double> Intervals(std::span<const double> times_s) {
  std::vector<double> intervals_s;
  for (size_t k = 1; k < times_s.size(); ++k) intervals_s.push_back(times_s[k] - times_s[k - 1]);
  return intervals_s;
}

std::string Text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g s", seconds);
  return text;
}

}  // namespace

double FrameRateOf(std::span<const double> times_s, double declared_fps) {
  if (times_s.size() < 2 || (declared_fps > 0 && AreEven(times_s, declared_fps))) {
    return declared_fps;
  }
  std::vector<double> intervals_s = Intervals(times_s);
  const auto middle = intervals_s.begin() + static_cast<std::ptrdiff_t>(intervals_s.size() / 2);
  std::nth_element(intervals_s.begin(), middle, intervals_s.end());
  const double median_s = *middle;
  if (!(median_s > 0)) return declared_fps;
  // Times are rounded to the ticks of the file: the mean of the usual ones is nearer.
  double sum_s = 0;
  int count = 0;
  for (const double interval_s : intervals_s) {
    if (std::abs(interval_s / median_s - 1) > 0.25) continue;
    sum_s += interval_s;
    ++count;
  }
  return count / sum_s;
}

std::string DescribeUnevenTimes(std::span<const double> times_s, double fps) {
  const std::vector<double> intervals_s = Intervals(times_s);
  if (intervals_s.empty() || !(fps > 0)) return "";
  const auto is_nearer = [&](double a, double b) {
    return std::abs(a - 1 / fps) < std::abs(b - 1 / fps);
  };
  const auto worst = std::max_element(intervals_s.begin(), intervals_s.end(), is_nearer);
  if (std::abs(*worst - 1 / fps) <= 0.5 / fps) return "";
  const auto before = worst - intervals_s.begin();
  return "frame " + std::to_string(before + 1) + " comes " + Text(*worst) + " after frame " +
         std::to_string(before) + ", " + Text(1 / fps) + " are usual";
}

std::string DescribeTimesApart(std::span<const double> times_s, std::span<const double> others_s,
                               double fps) {
  AIM_CHECK(times_s.size() == others_s.size());
  size_t worst = 0;
  double most_s = 0;
  for (size_t k = 0; k < times_s.size(); ++k) {
    const double apart_s = (times_s[k] - times_s[0]) - (others_s[k] - others_s[0]);
    if (std::abs(apart_s) <= std::abs(most_s)) continue;
    worst = k;
    most_s = apart_s;
  }
  if (!(std::abs(most_s) > 0.5 / fps)) return "";
  return "frame " + std::to_string(worst) + " comes " + Text(std::abs(most_s)) +
         (most_s > 0 ? " later" : " earlier");
}

}  // namespace aim
