// All that a training run needs to go on, as a folder of files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "aim/tensor/weights.h"

namespace aim {

struct TrainerState {
  int64_t train_step = 0;
  uint64_t seed = 0;
  WeightMap weights;  // what is trained
  WeightMap average;  // empty without one
  std::vector<WeightMap> more_averages;
  std::vector<double> more_decays;  // one each
  WeightMap moments;
};

// `copy` becomes a copy of `state` on the CPU, in the memory that it has already where that fits.
// From another device the copy is queued: steps may go on, and it is there when the call of what is
// returned comes back.
std::function<void()> CopyState(const TrainerState& state, TrainerState& copy);

// A folder with weights, averages, optimizer state and step; whole or absent.
void WriteState(const TrainerState& state, const std::filesystem::path& dir);

// state.json of such a folder.
void WriteProgress(const std::filesystem::path& file, int64_t train_step, uint64_t seed);

// average-0.9999.safetensors
std::string AverageFile(double decay);

}  // namespace aim
