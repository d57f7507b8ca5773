// Episodes in which nothing is wrong: the tool goes steadily from one pose to another.
#pragma once

#include <string>

#include "data/make_episode.h"

namespace aim::testing {

inline Episode MakeSmoothEpisode(const EpisodeOptions& options, Rng& rng) {
  Episode episode = MakeEpisode(options, rng);
  std::vector<ToolPose>& poses = episode.clip.poses;
  const ToolPose first = RandomToolPose(rng);
  Rigid3d last = first.world_from_tool;
  last.translation += Eigen::Vector3d(0.05, -0.1, 0.08);
  for (size_t k = 0; k < poses.size(); ++k) {
    const double done = static_cast<double>(k) / static_cast<double>(poses.size() - 1);
    poses[k] = {Interpolate(first.world_from_tool, last, done), done < 0.5 ? 1.0 : 0.0};
  }
  episode.measured = poses;
  return episode;
}

// `count` of them, of one rig's shape, with prompts "prompt 0", ...
inline std::vector<Episode> MakeSmoothEpisodes(int count, const EpisodeOptions& options,
                                               uint64_t seed = 31) {
  Rng rng(seed);
  std::vector<Episode> episodes;
  for (int i = 0; i < count; ++i) {
    episodes.push_back(MakeSmoothEpisode(options, rng));
    episodes.back().clip.prompt = "prompt " + std::to_string(i);
  }
  return episodes;
}

}  // namespace aim::testing
