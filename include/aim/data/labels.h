// What aim-label leaves: poses for the videos of another data set. Reading it goes through
// data/data_set.h like that of any layout; the videos stay where they are.
//
//   <root>/<episode>/poses.csv    one row a frame, with confidence (codec/pose_csv.h)
//   <root>/<episode>/label.json   {"origin": {"data", "layout", "episode"}, "frames",
//                                  "low_confidence", ...}: whose frames they are
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "aim/codec/plan.h"
#include "aim/data/layout.h"

namespace aim {

// What may be written with an episode's labels.
struct LabelExtras {
  std::vector<double> times_s;  // of each frame; empty: frame * labels.period_s

  // Writes more files into the episode's folder, before it appears.
  std::function<void(const std::filesystem::path& folder)> write_more = nullptr;
};

// One episode; the folder is whole or absent. `record` is what label.json says beside the origin;
// "frames" and "low_confidence" must be among it.
void WriteLabels(const std::filesystem::path& folder, const Plan& labels,
                 const EpisodeOrigin& origin, nlohmann::json record,
                 const LabelExtras& extras = {});

}  // namespace aim
