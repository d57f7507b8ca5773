#include "aim/train/training_memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdlib>

#include "aim/base/error.h"
#include "aim/bundle/bundle.h"
#include "aim/train/trainer.h"
#include "support/source_dir.h"
#include "support/tensor_bytes.h"
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

// docs/training.md, "Memory", says the same a number.
TEST(TrainingMemoryTest, TheReleasedNetworkWhole) {
  const int64_t count = 6'415'549'632;  // docs/reference/method.md 3.3
  TrainOptions options = InFloat32(1);
  options.async_save = false;
  const TrainingMemory memory = EstimateMemory(Released(), options);
  EXPECT_EQ(memory.num_weights, count);
  EXPECT_EQ(memory.num_trained, count);
  EXPECT_EQ(memory.weights, 4 * count);
  EXPECT_EQ(memory.averages, 4 * count);
  EXPECT_EQ(memory.moments, 8 * count);
  EXPECT_EQ(memory.gradients, (4 + 4) * count);  // their sum, and those of one worker
  EXPECT_EQ(memory.saving, 0);
  EXPECT_EQ(memory.activations, 0);
}

// What each option adds or saves, in bytes a number.
TEST(TrainingMemoryTest, EachOptionHasItsPrice) {
  const int64_t count = 6'415'549'632;
  const auto estimate = [](const auto& change) {
    TrainOptions options = InFloat32(1);
    options.async_save = false;
    change(options);
    return EstimateMemory(Released(), options);
  };
  EXPECT_EQ(estimate([](TrainOptions& o) { o.moments = MomentDtype::kBf16; }).moments, 4 * count);
  EXPECT_EQ(estimate([](TrainOptions& o) { o.ema = 0; }).averages, 0);
  EXPECT_EQ(estimate([](TrainOptions& o) { o.more_ema = {0.9, 0.9999}; }).averages, 12 * count);
  EXPECT_EQ(estimate([](TrainOptions& o) { o.num_workers = 3; }).gradients, (4 + 3 * 4) * count);
  EXPECT_EQ(estimate([](TrainOptions& o) { o.async_save = true; }).saving, (4 + 4 + 8) * count);
  TrainOptions saved = InFloat32(1);
  saved.async_save = true;
  const TrainingMemory queued = EstimateMemory(Released(), saved, {}, {}, {.is_queued = true});
  EXPECT_EQ(queued.saving, 0);
  EXPECT_EQ(queued.pinned, (4 + 4 + 8) * count);
  const TrainingMemory muon = estimate([](TrainOptions& o) { o.optimizer = OptimizerKind::kMuon; });
  EXPECT_LT(muon.moments, 0.6 * 8 * static_cast<double>(count));
  const TrainingMemory bf16 = estimate([](TrainOptions& o) { o.dtype = ComputeDtype::kBf16; });
  EXPECT_NEAR(static_cast<double>(bf16.weights), 6.0 * static_cast<double>(count), 2e8);
  EXPECT_NEAR(static_cast<double>(bf16.gradients), 6.0 * static_cast<double>(count), 2e8);
}

// Sums of up to 2 GiB are float64.
TEST(TrainingMemoryTest, ASmallNetworkHasItsSumsInFloat64) {
  const TrainingMemory memory = EstimateMemory(DitOptions(), InFloat32(2));
  EXPECT_EQ(memory.gradients, (8 + 2 * 4) * memory.num_trained);
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
  const TrainingMemory alone = EstimateMemory(Released(), options);
  const TrainingMemory whole = EstimateMemory(Released(), options, {}, {.size = 4});
  EXPECT_EQ(whole.total(), alone.total() + 4 * whole.num_trained);
  const int64_t all = 4 * whole.num_trained, largest = 4 * 14336 * 3072;
  for (const int stage : {1, 2}) {
    options.zero = stage;
    EXPECT_EQ(EstimateMemory(Released(), options).total(), alone.total());
    const TrainingMemory memory = EstimateMemory(Released(), options, {}, {.size = 4});
    EXPECT_EQ(memory.weights, all);
    EXPECT_GE(memory.averages, all / 4);
    EXPECT_LE(memory.averages, all / 4 + largest);
    EXPECT_EQ(memory.moments, 2 * memory.averages);
    EXPECT_EQ(memory.gradients, stage == 1 ? 2 * all + memory.averages : all + 2 * memory.averages);
    EXPECT_EQ(memory.shipped, all);
  }
}

// Frozen weights are there in the type of the products alone, sums are float32, one worker, and a
// checkpoint is written from memory of the host.
TEST(TrainingMemoryTest, OnADeviceThatIsQueued) {
  const TrainingDevice queued{.is_queued = true};
  TrainOptions options = InFloat32(1);
  options.dtype = ComputeDtype::kBf16;
  const int64_t count = 6'415'549'632;
  const TrainingMemory whole = EstimateMemory(Released(), options, {}, {}, queued);
  EXPECT_EQ(whole.saving, 0);
  EXPECT_EQ(whole.weights, EstimateMemory(Released(), options).weights);
  EXPECT_EQ(whole.gradients, EstimateMemory(Released(), options).gradients);
  options.trained = {"blocks.29"};
  const TrainingMemory part = EstimateMemory(Released(), options, {}, {}, queued);
  EXPECT_NEAR(static_cast<double>(part.weights), 2.0 * static_cast<double>(count), 1.5e9);
  EXPECT_EQ(part.averages, 4 * part.num_trained);
  EXPECT_EQ(EstimateMemory(DitOptions(), InFloat32(1), {}, {}, queued).gradients,
            (4 + 4) * EstimateMemory(DitOptions(), InFloat32(1)).num_trained);
}

// Too little memory after all: one sentence that says what would take less.
TEST(TrainingMemoryTest, ADeviceThatRunsOutOfMemoryIsExplained) {
  const TrainingDevice queued{.is_queued = true};
  const auto run_out = [] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); };
  testing::ExpectThrowsWith<ConfigError>(
      [&] {
        ExplainOutOfMemory(Released(), InFloat32(1), {.tokens = 5000, .text_rows = 512}, queued,
                           run_out);
      },
      {"training (weights", "beyond the memory of", "train.gradient_checkpointing = true takes",
       "--resume goes on"});
  int calls = 0;
  ExplainOutOfMemory(Released(), InFloat32(1), {}, queued, [&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(TrainingMemoryTest, RanksOfOneHostShareItsCores) {
  TrainOptions options = InFloat32(0);
  const int64_t one = EstimateMemory(Released(), InFloat32(1), {}, {.size = 512}).gradients;
  EXPECT_EQ(EstimateMemory(Released(), options, {}, {.size = 512, .local_size = 512}).gradients,
            one);
}

TEST(TrainingMemoryTest, WhatCannotFitIsRefusedWithWhatWould) {
  testing::ExpectThrowsWith<ConfigError>(
      [] {
        DitOptions huge = Released();
        huge.num_layers = 200;  // 900 GiB
        CheckTrainingMemory(huge, InFloat32(4), {.tokens = 5000, .text_rows = 512}, 0);
      },
      {"training (weights", "moments", "activations", "train.num_workers = 1 takes",
       "train.gradient_checkpointing = true takes", "train.moments = \"bf16\" takes",
       "train.lora.rank = 16"});
  testing::ExpectThrowsWith<ConfigError>(
      [] { CheckTrainingMemory(Released(), InFloat32(1), {}, 0, {.size = 64, .local_size = 64}); },
      {"64 ranks here, each with weights", "train.zero = 2 takes"});
}

// A canvas of many tokens through a network of many layers, both small otherwise.
struct Activations {
  const char* name;
  ComputeDtype dtype = ComputeDtype::kF32;
  bool recomputes = false;
  bool has_projector = false;
};

class ActivationsTest : public ::testing::TestWithParam<Activations> {
 protected:
  static DitOptions Network() {
    DitOptions options;
    options.in_channels = options.out_channels = 4;
    options.dim = 64;
    options.ffn_dim = 256;
    options.num_heads = 2;
    options.num_layers = 12;
    options.freq_dim = 8;
    options.text_dim = 8;
    options.camera.mode = CameraMode::kRayToken;
    options.camera.features = 6;
    options.camera.projector = GetParam().has_projector;
    return options;
  }
  static constexpr int64_t kSide = 24, kLatentFrames = 3, kTextRows = 8;
};

// The peak of one pass there and back, without the gradients that it returns.
TEST_P(ActivationsTest, AreAboutWhatAPassTakes) {
  const DitOptions network = Network();
  TrainOptions options;
  options.dtype = GetParam().dtype;
  options.gradient_checkpointing = GetParam().recomputes;
  options.num_workers = options.batch_size = options.microbatch = 1;
  const at::ScalarType dtype = ResolveDtype(options.dtype);
  WeightMap weights;
  std::vector<at::Tensor> leaves;
  for (const auto& [name, weight] : InitialDitWeights(network, Rng(1))) {
    weights[name] =
        weight.to(DitWeightDtype(name, dtype, Numerics::kAccurate)).detach().requires_grad_(true);
    leaves.push_back(weights[name]);
  }
  const Dit dit(network, weights, dtype);
  const int64_t tokens_of_frame = kSide / network.patch * (kSide / network.patch);
  const EncodedBatch batch{at::randn({1, 2, 2, 4, kLatentFrames, kSide, kSide}),
                           at::randn({1, 2, kLatentFrames, tokens_of_frame, 6}),
                           at::randn({1, kTextRows, 8})};
  SampleDraw draw;
  draw.mode = &FindMode("i2va");
  draw.noise = {.sigma = 0.5, .timestep = 500, .weight = 1};
  const testing::TensorBytes bytes;
  const at::Tensor loss = SampleLosses(dit, options, {draw}, batch, at::zeros({kTextRows, 8}));
  const auto gradients = torch::autograd::grad({loss.sum()}, leaves, {}, false, false, true);
  int64_t returned = 0;
  for (const at::Tensor& gradient : gradients) {
    if (gradient.defined()) returned += static_cast<int64_t>(gradient.nbytes());
  }
  const SampleSize sample{.tokens = 4 * kLatentFrames * tokens_of_frame, .text_rows = kTextRows};
  const int64_t estimate = EstimateMemory(network, options, sample).activations;
  const double ratio = static_cast<double>(estimate) / static_cast<double>(bytes.peak() - returned);
  EXPECT_GT(ratio, 0.9) << estimate << " for " << bytes.peak() - returned;
  EXPECT_LT(ratio, 1.15) << estimate << " for " << bytes.peak() - returned;
}

INSTANTIATE_TEST_SUITE_P(
    Passes, ActivationsTest,
    ::testing::Values(
        Activations{.name = "kept"}, Activations{.name = "recomputed", .recomputes = true},
        Activations{.name = "kept_in_bf16", .dtype = ComputeDtype::kBf16},
        Activations{.name = "recomputed_in_bf16", .dtype = ComputeDtype::kBf16, .recomputes = true},
        Activations{.name = "kept_with_projector", .has_projector = true}),
    [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace aim
