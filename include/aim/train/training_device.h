// Where the steps of a training are computed.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "aim/train/launch.h"
#include "aim/train/train_options.h"

namespace aim {

// On a CPU threads compute a microbatch each and tensors are changed by loops. On any other device
// steps are queued: one microbatch after another, ATen's operations over all tensors of the
// network at once, and one wait a step, for its losses and its norm.
struct TrainingDevice {
  c10::Device device = c10::kCPU;
  bool is_queued = false;  // on a CPU: the same code, for tests
  // Noise of the draws that a CPU makes, copied: slow, and the same on every device.
  bool draws_on_cpu = false;
  // Clips stay on the device up to so many bytes, if they leave room for the steps; beyond that a
  // thread fetches those of the next step.
  int64_t most_resident_bytes = std::numeric_limits<int64_t>::max();
};

// As ParseDevice reads it; queued unless it is the CPU. Of the processes of a launcher each has a
// GPU of its own: "cuda" is that of its place among those of its host, and a number is refused.
// Throws ConfigError.
TrainingDevice ParseTrainingDevice(const std::string& text,
                                   const std::optional<Launch>& launch = std::nullopt);

// Throws ConfigError for options that a queued step cannot have.
void RequireQueueable(const TrainOptions& options);

// While it lives, which attention ATen may choose for the passes of a training. Microbatches have
// other sizes each step, and for each that it has not met cuDNN's makes a plan, which takes longer
// than the step: it is left out where a microbatch has more than one sample. Blocks are computed
// again within the backward pass: it lives until that is done.
class AttentionOfAnySize {
 public:
  explicit AttentionOfAnySize(const TrainOptions& options);
  ~AttentionOfAnySize();
  AttentionOfAnySize(const AttentionOfAnySize&) = delete;
  AttentionOfAnySize& operator=(const AttentionOfAnySize&) = delete;

 private:
  bool was_enabled_;
};

}  // namespace aim
