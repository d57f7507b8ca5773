// Recorded episodes cut to what a model sees, with their truth.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/progress.h"
#include "aim/bundle/bundle.h"
#include "aim/codec/clip.h"

namespace aim {

// Clips with their truth, and what could not be read.
struct TruthClips {
  std::vector<Clip> clips;
  std::vector<std::string> tasks;
  nlohmann::json damaged = nlohmann::json::array();
};

// The starts of at most `count` episodes, evenly spread over those at `data`; damaged ones are left
// out, logged and named. Throws InputError if none can be used.
TruthClips ReadTruthClips(const std::string& data, int count, const BundleConfig& config,
                          Progress& progress);

}  // namespace aim
