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

TEST(TrainingMemoryTest, WhatCannotFitIsRefusedWithWhatWould) {
  testing::ExpectThrowsWith<ConfigError>(
      [] {
        DitOptions huge = Released();
        huge.num_layers = 200;  // 900 GiB
        CheckTrainingMemory(huge, InFloat32(4), 0);
      },
      {"training (weights", "moments", "train.num_workers = 1 takes", "train.lora.rank = 16"});
}

}  // namespace
}  // namespace aim
