#include "aim/train/training_device.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/AllocatorConfig.h>

#include <cstdlib>

#include "aim/base/error.h"
#include "aim/tensor/device.h"

namespace aim {

namespace {

// Microbatches of other sizes every step would leave pieces of memory that fit none.
void LetSegmentsGrow() {
  for (const char* name : {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"}) {
    if (std::getenv(name) != nullptr) return;  // somebody knows better
  }
  c10::CachingAllocator::setAllocatorSettings("expandable_segments:True");
}

}  // namespace

TrainingDevice ParseTrainingDevice(const std::string& text, const std::optional<Launch>& launch) {
  c10::Device device = ParseDevice(text);
  if (launch && !device.is_cpu()) {
    if (text.find(':') != std::string::npos) {
      throw ConfigError({.where = "--device",
                         .got = text + " for " + std::to_string(launch->size) + " ranks",
                         .expected = "cuda: each rank has a GPU of its own",
                         .fix = "CUDA_VISIBLE_DEVICES says which there are"});
    }
    // A launcher may show each rank its own GPU alone.
    const bool is_alone = at::accelerator::deviceCount() == 1 && launch->local_size > 1;
    if (!is_alone) device = ParseDevice(text + ":" + std::to_string(launch->local_rank));
  }
  if (!device.is_cpu()) {
    LetSegmentsGrow();
    at::globalContext().lazyInitDevice(device.type());  // its free memory is asked for before use
  }
  return {.device = device, .is_queued = !device.is_cpu()};
}

void RequireQueueable(const TrainOptions& options) {
  const std::string on_gpu = " on a GPU";
  if (options.zero > 0) {
    throw ConfigError({.where = "train.zero",
                       .got = std::to_string(options.zero),
                       .expected = "0" + on_gpu,
                       .fix = "leave it out; each GPU has the whole state"});
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

AttentionOfAnySize::AttentionOfAnySize(const TrainOptions& options)
    : was_enabled_(at::globalContext().userEnabledCuDNNSDP()) {
  if (options.microbatch > 1) at::globalContext().setSDPUseCuDNN(false);
}

AttentionOfAnySize::~AttentionOfAnySize() { at::globalContext().setSDPUseCuDNN(was_enabled_); }

}  // namespace aim
