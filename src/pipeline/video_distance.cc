#include "aim/pipeline/video_distance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "aim/metrics/frechet.h"
#include "aim/pipeline/i3d.h"

namespace aim {
namespace {

// Covariances of fewer clips than features are singular, and the distance grows as clips get fewer.
constexpr int64_t kManyClips = kI3dFeatures + 1;

// A vector a row.
Eigen::MatrixXd Rows(const std::vector<Eigen::VectorXd>& vectors) {
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(vectors.size()), kI3dFeatures);
  for (size_t i = 0; i < vectors.size(); ++i) {
    rows.row(static_cast<Eigen::Index>(i)) = vectors[i].transpose();
  }
  return rows;
}

}  // namespace

std::optional<VideoDistance> DistanceOf(const ClipFeatures& features, int num_frames) {
  if (std::min(features.judged.size(), features.truth.size()) < 2) return std::nullopt;
  return VideoDistance{.distance = FrechetDistance(Rows(features.judged), Rows(features.truth)),
                       .num_judged = static_cast<int64_t>(features.judged.size()),
                       .num_true = static_cast<int64_t>(features.truth.size()),
                       .num_frames = num_frames};
}

std::string FewClips(const VideoDistance& fvd) {
  if (std::min(fvd.num_judged, fvd.num_true) >= kManyClips) return "";
  return "FVD of " + std::to_string(fvd.num_judged) + " and " + std::to_string(fvd.num_true) +
         " clips of " + std::to_string(fvd.num_frames) +
         " frames is biased upwards: compare it with FVD of as many clips alone";
}

nlohmann::json ToJson(const VideoDistance& fvd) {
  nlohmann::json object = {{"value", fvd.distance},
                           {"clips_judged", fvd.num_judged},
                           {"clips_truth", fvd.num_true},
                           {"frames", fvd.num_frames}};
  if (const std::string note = FewClips(fvd); !note.empty()) object["note"] = note;
  return object;
}

}  // namespace aim
