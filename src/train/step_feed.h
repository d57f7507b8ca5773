// What the steps of a queued training work on, brought to its device.
#pragma once

#include <functional>
#include <future>
#include <vector>

#include "aim/cache/latent_cache.h"
#include "aim/train/step_plan.h"

namespace aim {

// The plan of a step.
using Planner = std::function<StepPlan(int64_t train_step)>;

// A thread plans a step, and fetches its clips, while the step before it is computed. Where all
// clips of the cache fit into `most_resident_bytes`, they are on the device from the start.
class StepFeed {
 public:
  struct Step {
    StepPlan plan;
    std::vector<EncodedBatch> batches;  // of its microbatches, on the CPU; none where all reside
  };

  // `plan` is called by a thread.
  StepFeed(LatentCache cache, c10::Device device, int64_t most_resident_bytes, Planner plan);

  // Waits for what is not ready; steps that follow each other are.
  Step Take(int64_t train_step);
  // Of a microbatch of `step`, on the device, latents in float16; does not wait.
  EncodedBatch BatchOf(const Step& step, size_t microbatch) const;

  bool is_resident() const { return all_.latents.defined(); }
  const LatentCache& cache() const { return cache_; }

 private:
  Step Prepare(int64_t train_step) const;

  LatentCache cache_;
  c10::Device device_;
  Planner plan_;
  EncodedBatch all_;  // every clip, on the device
  int64_t next_step_ = -1;
  std::future<Step> next_;
};

}  // namespace aim
