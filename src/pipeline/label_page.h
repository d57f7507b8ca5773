// The page that shows what aim-label found.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "aim/pipeline/label.h"

namespace aim {

// One labelled episode as the page shows it.
struct ShownClip {
  std::string name;
  nlohmann::json record;           // its label.json
  std::vector<double> times_s;     // of every frame
  std::vector<double> confidence;  // 0 where it was not decoded
};

// Self-contained HTML: the run in numbers, then a card a clip with its strip, confidence over time
// and what was filled in, and what was left out. Strips and videos lie below `folder`; videos are
// links. Throws InputError if a strip cannot be read.
std::string LabelPage(const LabelReport& report, std::span<const ShownClip> clips,
                      double min_confidence, const std::filesystem::path& folder);

}  // namespace aim
