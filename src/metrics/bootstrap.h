// What every bootstrap does.
#pragma once

#include <vector>

#include "aim/base/rng.h"
#include "aim/base/summary.h"
#include "aim/metrics/statistics.h"

namespace aim {

// One of `count` items, each as likely.
inline size_t DrawIndex(size_t count, Rng& rng) {
  return static_cast<size_t>(rng.UniformInt(static_cast<int64_t>(count)));
}

// That holds the middle 95 % of the draws.
inline Interval CentralInterval(const std::vector<double>& draws) {
  return {Percentile(draws, 2.5), Percentile(draws, 97.5)};
}

}  // namespace aim
