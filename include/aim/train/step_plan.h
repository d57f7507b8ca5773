// What chance decides about one optimizer step, planned before anything is computed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "aim/train/noise_level.h"
#include "aim/train/train_options.h"

namespace aim {

// One sample of a batch.
struct SampleDraw {
  int64_t clip = 0;
  const Mode* mode = nullptr;
  NoiseLevel noise = {};
  bool drop_text = false;
  bool first_pose_given = true;
  uint64_t noise_seed = 0;

  bool operator==(const SampleDraw&) const = default;
};

// Samples that pass through the network together.
using Microbatch = std::vector<SampleDraw>;

// What one rank does in one step.
struct StepPlan {
  int64_t train_step = 0;
  double lr = 0;
  std::vector<SampleDraw> draws;         // the whole batch
  std::vector<Microbatch> microbatches;  // this rank's; may be none
};

// What a run draws from.
struct DrawnClips {
  int64_t count = 0;
  std::function<const ModeMix&(int64_t clip)> mix = {};  // of each; empty: TrainOptions::mix
};

// A pure function: clips by a fresh permutation each epoch, mode (of the clip's mix) and noise
// level a sample, all from (seed, position of the sample in the whole run). The batch is split as
// one rank alone splits it, and the microbatches are dealt out: rank r of n has every n-th from the
// r-th on, so that each is computed with the same bits however many ranks there are.
StepPlan PlanStep(const TrainOptions& options, uint64_t seed, int64_t train_step,
                  const DrawnClips& clips, int rank = 0, int num_ranks = 1);

// Samples whose canvases have the same segments, at most `microbatch` together; large ones first.
std::vector<Microbatch> SplitIntoMicrobatches(const std::vector<SampleDraw>& draws, int microbatch);

// What to change so that `num_ranks` all have work in each step; empty where they do.
std::string IdleRanks(const TrainOptions& options, int num_ranks);

}  // namespace aim
