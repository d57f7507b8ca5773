// What success depends on, and by which rules it was measured: parts of the page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "aim/eval/report.h"

namespace aim {

// HTML. Each is empty where there is nothing to compare: one horizon, one angle, no confidence.
std::string HorizonChart(const RolloutReport& report);
std::string CameraAngleChart(const RolloutReport& report);
std::string ConfidenceChart(const RolloutReport& report);

// How far from the commands what was imagined is, and how sure the labels are, by step; none
// without labels.
std::vector<std::string> DriftCharts(const ImaginationReport& report);

// A list of {"name", "value"}: the harness's settings that can move a result.
nlohmann::json HarnessSettings(const RolloutReport& report);

}  // namespace aim
