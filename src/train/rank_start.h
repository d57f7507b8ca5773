// What the ranks of a run have from rank 0, which alone reads data, bundles and checkpoints.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "aim/train/comm.h"
#include "aim/train/trainer.h"

namespace aim {

struct RankStart {
  TrainOptions options;
  uint64_t seed = 0;
  TrainedNetwork network = {};
  std::filesystem::path cache = {};  // that all ranks can open
  std::string cache_key = {};
  int64_t num_clips = 0;  // of the cache, those that are trained on
};

// Rank 0, which computes on `device`, tells the others; nothing: there will be no training.
void SendStart(const std::optional<RankStart>& start, c10::Device device, Comm& comm);

// What rank 0 tells.
std::optional<RankStart> ReceiveStart(Comm& comm);

// What rank 0 has all ranks do next. The others wait for one after another until kEnd.
enum class RankOrder { kStep, kSave, kGatherAverage, kEnd };
void SendOrder(RankOrder order, Comm& comm);

// Trains along with rank 0, which writes what there is to write, until it ends. Returns whether the
// run was finished. Throws IoError if a rank is lost, InputError if the cache is not to be opened
// here, ConfigError if the device has too little memory.
bool TrainAlong(Comm& comm, const TrainingDevice& device, const std::function<bool()>& should_stop);

}  // namespace aim
