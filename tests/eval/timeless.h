// Two folders of rollouts, compared byte for byte but for what is measured by a clock.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "aim/base/atomic_file.h"

namespace aim::testing {

// Wall times and memory, wherever they stand.
inline nlohmann::json WithoutTimes(nlohmann::json json) {
  if (json.is_object()) {
    for (const char* key :
         {"plan_s", "plan_steps", "stages_s", "step_s", "seconds", "peak_memory_bytes"})
      json.erase(key);
  }
  if (json.is_structured()) {
    for (nlohmann::json& item : json) item = WithoutTimes(item);
  }
  return json;
}

inline std::set<std::string> FilesOf(const std::filesystem::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    if (entry.is_regular_file() && !name.starts_with(".")) files.insert(name);
  }
  return files;
}

inline void ExpectSameRollout(const std::filesystem::path& expected,
                              const std::filesystem::path& got) {
  ASSERT_EQ(FilesOf(got), FilesOf(expected));
  for (const std::string& file : FilesOf(expected)) {
    if (file == "report.html" || file == "run.json") continue;  // they hold report.json, and times
    // The encoder's: x264 (seen in 164) makes other bytes of equal small frames now and then. The
    // filmstrips show the same pictures.
    if (file.ends_with(".mp4")) continue;
    const std::string text = ReadFile(got / file);
    if (file.ends_with(".json")) {
      const nlohmann::json change =
          nlohmann::json::diff(WithoutTimes(nlohmann::json::parse(ReadFile(expected / file))),
                               WithoutTimes(nlohmann::json::parse(text)));
      EXPECT_TRUE(change.empty()) << file << ": " << change.dump().substr(0, 500);
    } else {
      EXPECT_TRUE(text == ReadFile(expected / file)) << file;
    }
  }
}

}  // namespace aim::testing
