// FVD: how far apart two sets of videos are, by what I3D sees in them.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace aim {

// Of I3D, a vector a clip.
struct ClipFeatures {
  std::vector<Eigen::VectorXd> judged;
  std::vector<Eigen::VectorXd> truth;
};

// Of the sets, not of episodes: clips of all views together.
struct VideoDistance {
  double distance = 0;
  int64_t num_judged = 0;  // clips
  int64_t num_true = 0;
  int num_frames = 0;  // of a clip
};

// Why there is no distance where there is a clip.
inline constexpr const char* kOneClip = "one clip in all";

// Of clips of `num_frames`; nothing where a side has fewer than two.
std::optional<VideoDistance> DistanceOf(const ClipFeatures& features, int num_frames);

// What a reader must know of a distance of few clips; empty for many.
std::string FewClips(const VideoDistance& fvd);

// {"value", "clips_judged", "clips_truth", "frames", "note"}
nlohmann::json ToJson(const VideoDistance& fvd);

}  // namespace aim
