// What a data set holds, in one JSON object.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "aim/base/progress.h"

namespace aim {

// Reads every episode under `path` whole:
//   {"layout", "path", "episodes", "frames", "tasks": {name: {"episodes", "variations": {number:
//    episodes}, "frames": {"min", "mean", "max"}, "prompts": [up to 5]}}, "views": {count:
//    episodes}, "sizes": {"64x64": episodes}, "fps": {"8.333": episodes}, "damaged": [{"episode",
//    "problem"}]}
// A damaged episode is counted and named, the others go on. Throws InputError if there is none.
nlohmann::json InspectData(const std::filesystem::path& path, Progress& progress);

}  // namespace aim
