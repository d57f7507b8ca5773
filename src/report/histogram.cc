#include "aim/report/histogram.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "aim/base/error.h"
#include "aim/report/line_chart.h"
#include "report/axis.h"

namespace aim {
namespace {

constexpr size_t kMostBars = 16;
constexpr double kLeastCount = 5;  // of the axis, so that its numbers are whole

}  // namespace

std::string HistogramHtml(std::span<const double> values, const std::string& title,
                          const std::string& x_name) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite),
               [](double value) { return std::isfinite(value); });
  AIM_CHECK(!finite.empty());
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
  const Axis x = RoundAxis(*low, *high);
  std::vector<int64_t> counts(kMostBars, 0);
  for (const double value : finite) {
    const auto bar = static_cast<size_t>(x.At(value) * kMostBars);
    ++counts[std::min(bar, kMostBars - 1)];
  }
  const auto most = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  LineChart chart{.title = title, .x_name = x_name, .lines = {}};
  chart.x_range = {x.low, x.high};
  chart.y_range = {0, RoundAxis(0, std::max(most, kLeastCount)).high};
  const double width = (x.high - x.low) / kMostBars;
  for (size_t i = 0; i < kMostBars; ++i) {
    const double begin = x.low + width * static_cast<double>(i);
    if (counts[i] > 0) chart.bars.push_back({begin, begin + width, static_cast<double>(counts[i])});
  }
  return LineChartHtml(chart);
}

}  // namespace aim
