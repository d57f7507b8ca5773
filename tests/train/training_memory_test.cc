#include "aim/train/training_memory.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "aim/base/error.h"
#include "aim/bundle/bundle.h"
#include "support/source_dir.h"
#include "support/throws.h"

namespace aim {
namespace {

DitOptions Released() {
  BundleConfig config;
  const auto path = testing::SourceDir() / "configs/model/action_images_5b.toml";
  ApplyOptions(config, ReadToml(path), path.string());
  return config.dit;
}

TrainOptions InFloat32(int num_workers) {
  TrainOptions options;
  options.dtype = ComputeDtype::kF32;
  options.num_workers = num_workers;
  return options;
}

// 6 415 549 632 weights (docs/reference/method.md 3.3): 4 bytes each, as much for the average,
// twice for AdamW, twice for sum and gradient in float32, and twice for one worker.
TEST(TrainingMemoryTest, TheReleasedNetworkWhole) {
  const TrainingMemory memory = EstimateMemory(Released(), InFloat32(1));
  const int64_t all = 4 * int64_t{6'415'549'632};
  EXPECT_EQ(memory.num_weights, 6'415'549'632);
  EXPECT_EQ(memory.num_trained, memory.num_weights);
  EXPECT_EQ(memory.weights, all);
  EXPECT_EQ(memory.averages, all);
  EXPECT_EQ(memory.moments, 2 * all);
  EXPECT_EQ(memory.gradients, 4 * all);
}

// docs/reference/method.md 4.4: the release's partial set.
TEST(TrainingMemoryTest, ThePartialSetOfTheRelease) {
  TrainOptions options = InFloat32(1);
  options.trained = {"cam_encoder", "projector", "self_attn", "text_embedding"};
  EXPECT_EQ(EstimateMemory(Released(), options).num_trained, 2'570'803'200);
}

// rank (in + out) a matrix, 30 blocks: eight of 3072 squared, two of the feed-forward network.
TEST(TrainingMemoryTest, AnAdapterTakesLittleBesideTheNetwork) {
  TrainOptions options = InFloat32(1);
  options.lora.rank = 16;
  const TrainingMemory memory = EstimateMemory(Released(), options);
  EXPECT_EQ(memory.num_trained, 30 * 16 * (8 * (3072 + 3072) + 2 * (3072 + 14336)));
  EXPECT_EQ(memory.weights, 4 * memory.num_weights);
  EXPECT_LT(memory.total() - memory.weights, int64_t{2} << 30);
}

// Weights stay whole, moments and averages fall to a share of a fourth, at stage 2 the sum of
// gradients as well; the largest tensor is 14336 x 3072.
TEST(TrainingMemoryTest, RanksDivideWhatZeroSays) {
  TrainOptions options = InFloat32(1);
  const TrainingMemory whole = EstimateMemory(Released(), options, {.size = 4});
  EXPECT_EQ(whole.total(), EstimateMemory(Released(), options).total());
  const int64_t all = 4 * whole.num_trained, largest = 4 * 14336 * 3072;
  for (const int stage : {1, 2}) {
    options.zero = stage;
    EXPECT_EQ(EstimateMemory(Released(), options).total(), whole.total());  // alone
    const TrainingMemory memory = EstimateMemory(Released(), options, {.size = 4});
    EXPECT_EQ(memory.weights, all);
    EXPECT_GE(memory.averages, all / 4);
    EXPECT_LE(memory.averages, all / 4 + largest);
    EXPECT_EQ(memory.moments, 2 * memory.averages);
    EXPECT_EQ(memory.gradients, stage == 1 ? 3 * all + memory.averages : all + 2 * memory.averages);
    EXPECT_EQ(memory.shipped, all);
  }
}

TEST(TrainingMemoryTest, RanksOfOneHostShareItsCores) {
  TrainOptions options = InFloat32(0);
  const int64_t one = EstimateMemory(Released(), InFloat32(1), {.size = 512}).gradients;
  EXPECT_EQ(EstimateMemory(Released(), options, {.size = 512, .local_size = 512}).gradients, one);
}

TEST(TrainingMemoryTest, WhatCannotFitIsRefusedWithWhatWould) {
  testing::ExpectThrowsWith<ConfigError>(
      [] {
        DitOptions huge = Released();
        huge.num_layers = 200;  // 900 GiB
        CheckTrainingMemory(huge, InFloat32(4), 0);
      },
      {"training (weights", "moments", "train.num_workers = 1 takes", "train.lora.rank = 16"});
  testing::ExpectThrowsWith<ConfigError>(
      [] { CheckTrainingMemory(Released(), InFloat32(1), 0, {.size = 64, .local_size = 64}); },
      {"64 ranks here, each with weights", "train.zero = 2 besides takes"});
}

}  // namespace
}  // namespace aim
