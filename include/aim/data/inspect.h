// What a data set holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "aim/base/progress.h"
#include "aim/data/data_set.h"

namespace aim {

struct TaskSummary {
  int64_t num_episodes = 0;
  int64_t num_frames = 0;
  int64_t min_frames = 0;  // of an episode
  int64_t max_frames = 0;
  std::map<int, int64_t> variations;  // episodes of each
  std::set<std::string> prompts;      // up to 5
};

struct InspectReport {
  std::string layout;
  std::filesystem::path path;
  int64_t num_episodes = 0;  // those that could be read
  int64_t num_frames = 0;
  std::map<std::string, TaskSummary> tasks;  // "" where the layout knows none
  std::map<int, int64_t> views;              // episodes of each number
  std::map<std::string, int64_t> sizes;      // "64x64"
  std::map<std::string, int64_t> rates;      // "8.333" frames a second
  std::vector<Skipped> skipped;
};

// {"layout", "path", "episodes", "frames", "tasks": {name: {"episodes", "variations": {number:
// episodes}, "frames": {"min", "mean", "max"}, "prompts"}}, "views", "sizes", "fps": {which:
// episodes}, "damaged": [{"episode", "problem"}]}
nlohmann::json ToJson(const InspectReport& report);

// Reads every episode whole. A damaged one is counted and named, the others go on.
InspectReport InspectData(const DataSet& data, Progress& progress);

}  // namespace aim
