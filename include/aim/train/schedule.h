// The learning rate over a run.
#pragma once

#include <cstdint>

#include "aim/train/train_options.h"

namespace aim {

// Steps of rise and fall as they are run.
struct Schedule {
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;
};

// Those of the options, if both together are no longer than the run. Else they are shortened in
// proportion until they fill it: a run of any length reaches the peak rate.
Schedule FitSchedule(const TrainOptions& options);

// Learning rate of one step: linear warm-up, constant, linear or cosine decay to 0
// over the last steps.
double LearningRate(const TrainOptions& options, int64_t train_step);

}  // namespace aim
