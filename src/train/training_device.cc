#include "aim/train/training_device.h"

#include "aim/base/error.h"
#include "aim/tensor/device.h"

namespace aim {

TrainingDevice ParseTrainingDevice(const std::string& text) {
  const c10::Device device = ParseDevice(text);
  return {.device = device, .is_queued = !device.is_cpu()};
}

void RequireQueueable(const TrainOptions& options, int num_ranks) {
  const std::string on_gpu = " on a GPU";
  if (num_ranks > 1) {
    throw ConfigError({.where = "--device",
                       .got = "a GPU for " + std::to_string(num_ranks) + " processes",
                       .expected = "one process",
                       .fix = "leave the launcher out, or train on processors"});
  }
  if (options.num_workers > 1) {
    throw ConfigError({.where = "train.num_workers",
                       .got = std::to_string(options.num_workers),
                       .expected = "0 or 1" + on_gpu + ", which has one queue",
                       .fix = "leave it out; train.microbatch says how much is computed at once"});
  }
  if (options.moments == MomentDtype::kBf16) {
    throw ConfigError({.where = "train.moments",
                       .got = "bf16",
                       .expected = "f32" + on_gpu,
                       .fix = "leave it out; a run that was begun with it goes on on the CPU"});
  }
}

}  // namespace aim
