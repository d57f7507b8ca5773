// A small data set on disk.
#pragma once

#include <filesystem>
#include <string>

#include "aim/data/action_images.h"
#include "policy/tiny_bundle.h"
#include "train/tiny_training.h"

namespace aim::testing {

struct TrainingDataOptions {
  int num_episodes = 6;
  int num_frames = 12;
  int size_px = kTinySize;
  uint64_t first_seed = 1;
};

inline std::filesystem::path TrainingEpisodePath(const std::filesystem::path& root, int index) {
  return EpisodeFolder(root, "reach_target", 0, index);
}

inline void WriteTrainingData(const std::filesystem::path& root,
                              const TrainingDataOptions& options = {}) {
  for (int i = 0; i < options.num_episodes; ++i) {
    const uint64_t seed = options.first_seed + static_cast<uint64_t>(i);
    Episode episode;
    episode.task = "reach_target";
    episode.seed = seed;
    episode.clip = MakeSyntheticClip(options.num_frames, seed, options.size_px);
    WriteEpisode(TrainingEpisodePath(root, i), episode);
  }
}

// A video that ends in the middle.
inline void DamageEpisode(const std::filesystem::path& root, int index) {
  const std::filesystem::path video =
      TrainingEpisodePath(root, index) / "view0" / "rgb" / "video.mp4";
  std::filesystem::resize_file(video, std::filesystem::file_size(video) / 2);
}

}  // namespace aim::testing
