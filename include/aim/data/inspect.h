// What a data set holds.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/progress.h"
#include "aim/data/data_set.h"
#include "aim/data/set_statistics.h"

namespace aim {

struct InspectReport {
  std::string layout;
  std::filesystem::path path;
  SetStatistics statistics;  // of the episodes that could be read
  std::vector<Skipped> skipped;
};

// {"layout", "path", those of SetStatistics, "damaged": [{"episode", "problem"}], "unfit": the
// same}
nlohmann::json ToJson(const InspectReport& report);

// Reads every episode whole. A damaged one is counted and named, the others go on.
InspectReport InspectData(const DataSet& data, Progress& progress);

}  // namespace aim
