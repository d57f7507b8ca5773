// What a run needs beside the trainer: read, fitted or encoded once at its start.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/bundle/bundle.h"
#include "aim/cache/latent_cache.h"
#include "aim/data/skipped.h"
#include "aim/train/train_options.h"
#include "train/held_out.h"

namespace aim {

struct TrainingSetup {
  BundleConfig config;
  WeightMap initial_weights;
  std::unique_ptr<Autoencoder> autoencoder;  // as trained elsewhere or fitted: not trained here
  std::unique_ptr<TextEncoder> text;
  std::filesystem::path initial_bundle;  // whose encoders these are; empty: fitted in this run
  bool changes_network = true;  // false: an adapter alone is trained, beside the initial network
  HeldOutClips validation;
  int64_t num_episodes = 0;          // that there are clips of in the cache, each as often as given
  int64_t num_videos = 0;            // clips of them without actions
  int64_t num_listed = 0;            // that the data holds for training, those included
  std::optional<LatentCache> cache;  // empty if the run was asked to stop before it was built
  std::vector<Skipped> skipped;      // episodes that were left out, by name

  // Large ones give back memory that their next use takes again.
  void ReleaseEncoders() const {
    autoencoder->ReleaseWeights();
    text->ReleaseWeights();
  }
};

// Checks the options and the data, prepares run.out(), and makes everything: from episodes, or,
// where none are given, from the finished cache in options.clips.dir alone. The network is that of
// the bundle options.init, or a small model of the options. With `most_episodes` above 0 no more
// than so many are trained on.
TrainingSetup PrepareTraining(const TrainRunOptions& options, RunContext& run,
                              int64_t most_episodes = 0);

// The two ways. A core build has no readers of episodes: there the first throws ConfigError.
TrainingSetup PrepareFromEpisodes(const TrainRunOptions& options, RunContext& run,
                                  int64_t most_episodes);
TrainingSetup PrepareFromCache(const TrainRunOptions& options, RunContext& run);

// Where the clips of a run with data are cached, or the cache that it trains from.
std::filesystem::path CachePath(const TrainRunOptions& options, const RunContext& run);

// Prepares run.out() for training and keeps there what decides its result: options (but
// FreeTrainKeys), seed, the contents of the data and of the bundle it starts from, episodes held
// out. A run that is resumed must have the same. Throws ConfigError naming what differs.
void PrepareRun(const TrainRunOptions& options, const std::string& data_content, RunContext& run);

// Those of a bundle, on the device of the run. While the network is trained, it has the memory of
// large ones.
void LoadEncoders(const std::filesystem::path& bundle, const BundleConfig& config,
                  const RunContext& run, TrainingSetup& setup);

// What both do alike: everything of the bundle options.init, and a new network of the options.
void TakeBundle(const TrainRunOptions& options, const RunContext& run, TrainingSetup& setup);
void TakeNewNetwork(const TrainRunOptions& options, const RunContext& run, TrainingSetup& setup);

int64_t BytesOf(const WeightMap& weights);

// Index of the first clip of each item (episode) of the cache.
std::vector<int64_t> FirstClips(const LatentCache& cache);

// The autoencoder that was fitted in this run, for its bundle.
WeightMap ReadFittedAutoencoder(const std::filesystem::path& out);

}  // namespace aim
