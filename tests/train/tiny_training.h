// How a model of seconds is trained.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/train/train_options.h"
#include "policy/tiny_bundle.h"

namespace aim::testing {

// The network of TinyConfig, one layer of it, in a batch of two clips.
inline TrainRunOptions TinyTraining(const std::filesystem::path& data = {}) {
  const BundleConfig config = TinyConfig();
  TrainRunOptions options;
  if (!data.empty()) options.data = {data.string()};
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

// Trains `bundle` on: its own network and encoders.
inline void StartFrom(const std::filesystem::path& bundle, TrainRunOptions& options) {
  options.init = bundle.string();
  options.clips.num_frames = ClipOptions().num_frames;
  options.dit = {};
  options.autoencoder = {};
  options.text = {};
}

// The lines of a run's metrics.jsonl.
inline std::vector<nlohmann::json> ReadMetrics(const std::filesystem::path& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(ReadFile(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace aim::testing
