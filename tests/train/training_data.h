// A small data set on disk and how a model of seconds is trained on it.
#pragma once

#include <filesystem>
#include <string>

#include "aim/data/action_images.h"
#include "aim/train/train_options.h"
#include "policy/tiny_bundle.h"

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

// The network of TinyConfig, one layer of it, in a batch of two clips.
inline TrainRunOptions TinyTraining(const std::filesystem::path& data) {
  const BundleConfig config = TinyConfig();
  TrainRunOptions options;
  options.data = {data.string()};
  options.clips.num_frames = config.num_frames;
  options.clips.per_episode = 2;
  options.dit = config.dit;
  options.dit.num_layers = 1;
  options.autoencoder = config.autoencoder.pca;
  options.text = config.text.hashed_words;
  options.train.batch_size = 2;
  options.train.microbatch = 1;
  options.train.dtype = ComputeDtype::kF32;
  options.train.num_workers = 2;
  options.train.warmup_steps = 0;
  options.train.decay_steps = 0;
  options.train.log_every = 1;
  options.train.validation_episodes = 1;
  return options;
}

}  // namespace aim::testing
