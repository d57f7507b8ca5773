// What a run needs beside the trainer: read, fitted or encoded once at its start.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aim/bundle/bundle.h"
#include "aim/cache/latent_cache.h"
#include "aim/train/dataset.h"

namespace aim {

struct TrainingSetup {
  BundleConfig config;
  WeightMap initial_weights;
  std::unique_ptr<Autoencoder> autoencoder;  // as trained elsewhere or fitted: not trained here
  std::unique_ptr<TextEncoder> text;
  std::filesystem::path initial_bundle;  // empty: the autoencoder was fitted
  std::vector<Clip> validation;
  std::optional<LatentCache> cache;  // empty if the run was asked to stop before it was built

  // Large ones give back memory that their next use takes again.
  void ReleaseEncoders() const {
    autoencoder->ReleaseWeights();
    text->ReleaseWeights();
  }
};

// Checks the options and the data, prepares run.out(), and makes everything: from the bundle
// options.init, or a small model of the options with an autoencoder fitted to the data.
TrainingSetup PrepareTraining(const TrainRunOptions& options, EpisodeReader& reader,
                              RunContext& run);

// The autoencoder that was fitted in this run, for its bundle.
WeightMap ReadFittedAutoencoder(const std::filesystem::path& out);

}  // namespace aim
