#include "aim/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace aim {

Schedule FitSchedule(const TrainOptions& options) {
  Schedule schedule{options.warmup_steps, options.decay_steps};
  const int64_t asked = schedule.warmup_steps + schedule.decay_steps;
  if (asked <= options.steps) return schedule;
  const double share = static_cast<double>(schedule.warmup_steps) / static_cast<double>(asked);
  schedule.warmup_steps = static_cast<int64_t>(share * static_cast<double>(options.steps));
  schedule.decay_steps = options.steps - schedule.warmup_steps;
  return schedule;
}

double LearningRate(const TrainOptions& options, int64_t train_step) {
  const Schedule schedule = FitSchedule(options);
  double rate = options.lr;
  if (train_step < schedule.warmup_steps) {
    rate *= static_cast<double>(train_step + 1) / static_cast<double>(schedule.warmup_steps);
  }
  const int64_t left = options.steps - train_step;
  if (left < schedule.decay_steps) {
    const double rest =
        static_cast<double>(std::max<int64_t>(left, 0)) / static_cast<double>(schedule.decay_steps);
    const bool is_cosine = options.decay_shape == DecayShape::kCosine;
    rate *= is_cosine ? (1 - std::cos(std::numbers::pi * rest)) / 2 : rest;
  }
  return rate;
}

}  // namespace aim
