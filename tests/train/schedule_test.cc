#include "aim/train/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace aim {
namespace {

TrainOptions Steps(int64_t steps) {
  TrainOptions options;
  options.steps = steps;
  return options;
}

TEST(ScheduleTest, RisesStaysAndFalls) {
  TrainOptions options;
  options.lr = 1.0;
  options.warmup_steps = 10;
  options.decay_steps = 20;
  options.steps = 100;
  EXPECT_DOUBLE_EQ(LearningRate(options, 0), 0.1);
  EXPECT_DOUBLE_EQ(LearningRate(options, 50), 1.0);
  EXPECT_DOUBLE_EQ(LearningRate(options, 90), 0.5);
  EXPECT_DOUBLE_EQ(LearningRate(options, 100), 0.0);
}

TEST(ScheduleTest, ACosineFallsSlowlyAtBothEnds) {
  TrainOptions options = Steps(100);
  options.lr = 1.0;
  options.warmup_steps = 10;
  options.decay_steps = 20;
  options.decay_shape = DecayShape::kCosine;
  EXPECT_DOUBLE_EQ(LearningRate(options, 79), 1.0);
  EXPECT_NEAR(LearningRate(options, 85), 0.8535534, 1e-7);
  EXPECT_NEAR(LearningRate(options, 90), 0.5, 1e-12);
  EXPECT_NEAR(LearningRate(options, 95), 0.1464466, 1e-7);
}

// A run that is long enough has the numbers that were asked for: the recipe of the small model from
// 5000 steps on, the stretches that its card lists, and a decay over the whole run.
TEST(ScheduleTest, WhatFitsIsLeftAlone) {
  struct Case {
    int64_t steps, warmup, decay;
  };
  for (const Case& each : {Case{5000, 150, 2000},
                           {20000, 150, 2000},
                           {1000, 150, 0},
                           {2500, 150, 0},
                           {3700, 150, 900},
                           {5000, 150, 1100},
                           {8000, 150, 1800},
                           {2150, 150, 2000},
                           {300, 0, 300}}) {
    TrainOptions options = Steps(each.steps);
    options.warmup_steps = each.warmup;
    options.decay_steps = each.decay;
    EXPECT_EQ(FitSchedule(options).warmup_steps, each.warmup) << each.steps;
    EXPECT_EQ(FitSchedule(options).decay_steps, each.decay) << each.steps;
  }
}

// With the default warm-up and decay. Two hundred steps once ended at a 30th of the rate.
TEST(ScheduleTest, ARunOfAnyLengthReachesThePeakRateAndEndsLow) {
  for (const int64_t steps : {1, 2, 20, 200, 2000, 20000}) {
    const TrainOptions options = Steps(steps);
    double largest = 0, sum = 0;
    for (int64_t step = 0; step < steps; ++step) {
      const double rate = LearningRate(options, step);
      EXPECT_GT(rate, 0) << steps << " steps, step " << step;
      largest = std::max(largest, rate);
      sum += rate;
    }
    EXPECT_DOUBLE_EQ(largest, options.lr) << steps;
    EXPECT_GE(sum / static_cast<double>(steps), 0.49 * options.lr) << steps;
    EXPECT_LE(LearningRate(options, steps - 1), options.lr * (steps < 20 ? 1.0 : 0.06)) << steps;
  }
}

TEST(ScheduleTest, ShorteningKeepsTheProportion) {
  const Schedule schedule = FitSchedule(Steps(200));
  EXPECT_EQ(schedule.warmup_steps, 13);  // of 150 : 2000
  EXPECT_EQ(schedule.decay_steps, 187);
  TrainOptions only_warmup = Steps(40);
  only_warmup.decay_steps = 0;
  EXPECT_EQ(FitSchedule(only_warmup).warmup_steps, 40);
  EXPECT_DOUBLE_EQ(LearningRate(only_warmup, 39), only_warmup.lr);
}

}  // namespace
}  // namespace aim
