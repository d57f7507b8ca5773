// Numbers that describe many numbers.
#pragma once

#include <span>
#include <vector>

namespace aim {

// Percentile in [0, 100] with linear interpolation between order statistics; NaN if empty.
double Percentile(std::vector<double> values, double percent);
double Median(std::vector<double> values);
double Mean(std::span<const double> values);

// Spearman's rank correlation with mid-ranks for ties; NaN if a side is constant or shorter than 2.
double SpearmanCorrelation(std::span<const double> first, std::span<const double> second);

}  // namespace aim
