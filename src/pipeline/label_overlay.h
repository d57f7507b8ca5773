// Labels drawn over the videos that they were made from.
#pragma once

#include <filesystem>
#include <span>

#include "aim/codec/plan.h"
#include "aim/data/open_episode.h"

namespace aim {

struct OverlayOptions {
  double min_confidence = 0.2;  // poses below it were filled in
  double anchor_m = 0.1;        // of the axes that are drawn
};

// Writes overlay<V>.mp4, every frame of a view with the tool, its path over the last second and its
// confidence, and strip.jpg, moments evenly spread from start to end, a row a view. Small pictures
// are enlarged, those with a side above 960 pixels are made smaller.
void WriteOverlays(OpenEpisode& episode, std::span<const DecodedPose> labels,
                   const OverlayOptions& options, const std::filesystem::path& folder);

}  // namespace aim
