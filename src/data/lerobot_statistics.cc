#include "data/lerobot_statistics.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"

namespace aim {
namespace {

constexpr size_t kLevels = 256;
constexpr size_t kColours = 3;

// Between the two values nearest to it, as numpy.quantile.
double QuantileOf(const std::vector<double>& sorted, double quantile) {
  const double place = quantile * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// The level of the pixel with this number, counted from the darkest.
double LevelOf(const std::array<int64_t, kLevels>& counts, double place) {
  int64_t seen = 0;
  for (size_t level = 0; level < kLevels; ++level) {
    seen += counts[level];
    if (static_cast<double>(seen) > place) return static_cast<double>(level) / 255;
  }
  return 1;
}

void AppendColour(const std::array<int64_t, kLevels>& counts, int64_t num_pixels,
                  ColumnStatistics& statistics) {
  const auto total = static_cast<double>(num_pixels);
  double sum = 0;
  double sum_of_squares = 0;
  for (size_t level = 0; level < kLevels; ++level) {
    const double value = static_cast<double>(level) / 255;
    sum += static_cast<double>(counts[level]) * value;
    sum_of_squares += static_cast<double>(counts[level]) * value * value;
  }
  const double mean = sum / total;
  statistics.min.push_back(LevelOf(counts, 0));
  statistics.max.push_back(LevelOf(counts, total - 1));
  statistics.mean.push_back(mean);
  statistics.std.push_back(std::sqrt(std::max(0.0, sum_of_squares / total - mean * mean)));
  for (size_t q = 0; q < kStatisticQuantiles.size(); ++q) {
    statistics.quantiles[q].push_back(LevelOf(counts, kStatisticQuantiles[q] * (total - 1)));
  }
}

}  // namespace

ColumnStatistics StatisticsOf(std::span<const double> values, size_t width) {
  AIM_CHECK(width > 0 && !values.empty() && values.size() % width == 0);
  ColumnStatistics statistics;
  statistics.count = static_cast<int64_t>(values.size() / width);
  const auto rows = static_cast<double>(statistics.count);
  for (size_t column = 0; column < width; ++column) {
    std::vector<double> sorted;
    double sum = 0;
    for (size_t at = column; at < values.size(); at += width) {
      sorted.push_back(values[at]);
      sum += values[at];
    }
    const double mean = sum / rows;
    double sum_of_squares = 0;
    for (const double value : sorted) sum_of_squares += (value - mean) * (value - mean);
    std::sort(sorted.begin(), sorted.end());
    statistics.min.push_back(sorted.front());
    statistics.max.push_back(sorted.back());
    statistics.mean.push_back(mean);
    statistics.std.push_back(std::sqrt(sum_of_squares / rows));
    for (size_t q = 0; q < kStatisticQuantiles.size(); ++q) {
      statistics.quantiles[q].push_back(QuantileOf(sorted, kStatisticQuantiles[q]));
    }
  }
  return statistics;
}

ColumnStatistics PictureStatistics(std::span<const uint8_t> rgb, int64_t num_pictures) {
  AIM_CHECK(!rgb.empty() && rgb.size() % kColours == 0);
  std::array<std::array<int64_t, kLevels>, kColours> counts{};
  for (size_t at = 0; at < rgb.size(); at += kColours) {
    for (size_t colour = 0; colour < kColours; ++colour) ++counts[colour][rgb[at + colour]];
  }
  ColumnStatistics statistics;
  statistics.count = num_pictures;
  for (const auto& colour : counts) {
    AppendColour(colour, static_cast<int64_t>(rgb.size() / kColours), statistics);
  }
  return statistics;
}

void Merge(const ColumnStatistics& other, ColumnStatistics& statistics) {
  if (statistics.count == 0) {
    statistics = other;
    return;
  }
  AIM_CHECK(other.mean.size() == statistics.mean.size());
  const auto total = static_cast<double>(statistics.count + other.count);
  const double share = static_cast<double>(other.count) / total;
  for (size_t i = 0; i < statistics.mean.size(); ++i) {
    const double apart = other.mean[i] - statistics.mean[i];
    const double variance = (1 - share) * statistics.std[i] * statistics.std[i] +
                            share * other.std[i] * other.std[i] +
                            share * (1 - share) * apart * apart;
    statistics.std[i] = std::sqrt(variance);
    statistics.mean[i] += share * apart;
    statistics.min[i] = std::min(statistics.min[i], other.min[i]);
    statistics.max[i] = std::max(statistics.max[i], other.max[i]);
    for (size_t q = 0; q < kStatisticQuantiles.size(); ++q) {
      double& quantile = statistics.quantiles[q][i];
      quantile += share * (other.quantiles[q][i] - quantile);
    }
  }
  statistics.count += other.count;
}

}  // namespace aim
