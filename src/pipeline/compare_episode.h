// One episode in two data sets: scores of its pictures and poses.
#pragma once

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "aim/data/data_set.h"
#include "aim/pipeline/compare.h"

namespace aim {

// The networks that were asked for.
struct MetricNetworks {
  std::optional<Lpips> lpips;
  std::optional<I3d> i3d;
  c10::Device device = c10::Device(c10::kCPU);
};

// Of I3D, a vector a clip.
struct ClipFeatures {
  std::vector<Eigen::VectorXd> judged;
  std::vector<Eigen::VectorXd> truth;
};

// Throws InputError naming the episode where the two cannot be compared. `features` are appended
// to when all of it was read.
EpisodeComparison CompareEpisode(const CompareOptions& options, const MetricNetworks& networks,
                                 OpenEpisode& judged, OpenEpisode& truth, ClipFeatures& features);

}  // namespace aim
