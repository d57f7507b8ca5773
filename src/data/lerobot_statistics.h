// The numbers by which LeRobot's training normalises: ten for each column and each colour.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace aim {

inline constexpr std::array<double, 5> kStatisticQuantiles = {0.01, 0.10, 0.50, 0.90, 0.99};
inline constexpr std::array<const char*, 5> kStatisticQuantileNames = {"q01", "q10", "q50", "q90",
                                                                       "q99"};

// Each of one length, the width of the column.
struct ColumnStatistics {
  std::vector<double> min;
  std::vector<double> max;
  std::vector<double> mean;
  std::vector<double> std;  // of the population
  std::array<std::vector<double>, 5> quantiles;
  int64_t count = 0;  // rows, or pictures
};

// Of `values` [rows, width], rows >= 1.
ColumnStatistics StatisticsOf(std::span<const double> values, size_t width);

// Of the three colours of all pixels of `rgb` [num_pictures, pixels, 3], in [0, 1].
ColumnStatistics PictureStatistics(std::span<const uint8_t> rgb, int64_t num_pictures);

// Adds those of other rows. As LeRobot does it, the quantiles become their mean by count
// (lerobot 0.6.1, compute_stats.py, aggregate_feature_stats).
void Merge(const ColumnStatistics& other, ColumnStatistics& statistics);

}  // namespace aim
