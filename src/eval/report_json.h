// Numbers of the report as JSON has them.
#pragma once

#include <nlohmann/json.hpp>

#include "aim/metrics/statistics.h"

namespace aim {

// [low, high].
nlohmann::json IntervalJson(const Interval& interval);
nlohmann::json TestJson(const McNemarResult& test);

}  // namespace aim
