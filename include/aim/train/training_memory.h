// What a training run holds in memory beside clips, before it begins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "aim/cache/latent_cache.h"
#include "aim/model/dit_options.h"
#include "aim/train/train_options.h"
#include "aim/train/training_device.h"

namespace aim {

// The largest sample that a network is trained on.
struct SampleSize {
  int64_t tokens = 0;
  int64_t text_rows = 0;
};

// Of the clips of `cache`, in those modes.
SampleSize LargestSample(const LatentCache& cache, const DitOptions& dit,
                         const std::vector<std::string>& modes);

// The processes of one run.
struct TrainingRanks {
  int size = 1;
  int local_size = 1;  // on one host, whose cores they share
};

// Bytes of the rank that has most, in the memory of the device where the steps are computed.
struct TrainingMemory {
  int64_t num_weights = 0;  // numbers, of the network and its adapter
  int64_t num_trained = 0;

  int64_t weights = 0;      // float32, and once more in the type of the products; on a device that
                            // is queued frozen ones in that type alone
  int64_t averages = 0;     // of what is trained
  int64_t moments = 0;      // of the optimizer
  int64_t gradients = 0;    // their sum, and those that workers make
  int64_t saving = 0;       // the copy that a checkpoint is written from; of a queued device none
  int64_t activations = 0;  // of the samples that are worked on at the same time, about
  int64_t shipped = 0;      // of divided ranks all averages, which rank 0 has between steps

  int64_t pinned = 0;       // in host memory, of a queued device: that copy

  int64_t total() const {
    return weights + moments + saving + std::max(averages + gradients + activations, shipped);
  }
};

// Of the network `dit` under the options; without a sample, but for its activations. Throws
// ConfigError as Trainer does.
TrainingMemory EstimateMemory(const DitOptions& dit, const TrainOptions& options,
                              const SampleSize& sample = {}, const TrainingRanks& ranks = {},
                              const TrainingDevice& device = {});

nlohmann::json ToJson(const TrainingMemory& memory);

// Throws ConfigError if the memory that is free on the device does not suffice for the ranks of
// this host, beyond `held` bytes that are there already: the sentence says what other options would
// take.
void CheckTrainingMemory(const DitOptions& dit, const TrainOptions& options,
                         const SampleSize& sample, int64_t held, const TrainingRanks& ranks = {},
                         const TrainingDevice& device = {});

// Calls `work`. Where its device has too little memory after all, throws ConfigError that says what
// other options would take.
void ExplainOutOfMemory(const DitOptions& dit, const TrainOptions& options,
                        const SampleSize& sample, const TrainingDevice& device,
                        const std::function<void()>& work);

}  // namespace aim
