// Steps of a training on each device and in each type against the threads of the CPU in float32.
// The rows of CUDA are skipped where there is no GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "support/device_rows.h"
#include "train/trainer_fixture.h"

namespace aim {
namespace {

using testing::DeviceRow;
using testing::QuickTraining;
using testing::ShareOfTheWay;
using testing::SmallDit;

constexpr int kSteps = 10;

class TrainDeviceTest : public testing::TrainerTest,
                        public ::testing::WithParamInterface<DeviceRow> {
 protected:
  void SetUp() override {
    if (std::string(GetParam().device) == "cuda" && !at::hasCUDA())
      GTEST_SKIP() << "no CUDA in this build or no usable GPU";
    place_.device = ParseDevice(GetParam().device);
  }

  bool IsRounded() const { return GetParam().dtype == at::kBFloat16; }

  TrainOptions OptionsOfRow() const {
    TrainOptions options = QuickTraining();
    options.batch_size = 6;
    options.microbatch = 6;
    options.dtype = IsRounded() ? ComputeDtype::kBf16 : ComputeDtype::kF32;
    return options;
  }

  // AdamW makes a step of full size of a gradient near nothing, whatever its sign: networks part
  // faster than their roundings are large.
  void ExpectTheStepsOfTheCpu(const TrainOptions& options) {
    TrainOptions exact = options;
    exact.dtype = ComputeDtype::kF32;
    const LatentCache cache = Cache();
    Trainer found = MakeTrainer(options, {}, place_), expected = MakeTrainer(exact);
    WeightMap initial;
    for (const auto& [name, weight] : expected.weights()) initial[name] = weight.clone();
    for (int i = 0; i < kSteps; ++i) {
      const double loss = found.Step(cache, alone_).loss;
      const double of_cpu = expected.Step(cache, alone_).loss;
      EXPECT_NEAR(loss, of_cpu, (IsRounded() ? 5e-2 : 1e-3) * of_cpu) << "step " << i;
    }
    for (const auto& [name, weight] : found.weights()) {
      EXPECT_EQ(weight.device(), place_.device) << name;
      EXPECT_EQ(weight.scalar_type(), at::kFloat) << name;
    }
    const double most = IsRounded() ? 0.5 : 1e-2;
    EXPECT_LE(ShareOfTheWay(found.weights(), expected.weights(), initial), most);
    EXPECT_LE(ShareOfTheWay(found.averaged_weights(), expected.averaged_weights(), initial), most);
  }

  TrainingDevice place_{.is_queued = true, .draws_on_cpu = true};
};

TEST_P(TrainDeviceTest, AdamW) { ExpectTheStepsOfTheCpu(OptionsOfRow()); }

TEST_P(TrainDeviceTest, Muon) {
  TrainOptions options = OptionsOfRow();
  options.optimizer = OptimizerKind::kMuon;
  ExpectTheStepsOfTheCpu(options);
}

TEST_P(TrainDeviceTest, GradientCheckpointing) {
  TrainOptions options = OptionsOfRow();
  options.gradient_checkpointing = true;
  ExpectTheStepsOfTheCpu(options);
}

TEST_P(TrainDeviceTest, AnAdapter) {
  TrainOptions options = OptionsOfRow();
  options.lora = {.rank = 4, .alpha = 8};
  ExpectTheStepsOfTheCpu(options);
}

TEST_P(TrainDeviceTest, TheLastBlockWithCheckpointing) {
  TrainOptions options = OptionsOfRow();
  options.trained = {"blocks.1"};
  options.gradient_checkpointing = true;
  ExpectTheStepsOfTheCpu(options);
}

// Clips that a thread fetches into pinned memory, in two microbatches.
TEST_P(TrainDeviceTest, FetchedClips) {
  TrainOptions options = OptionsOfRow();
  options.microbatch = 3;
  place_.most_resident_bytes = 0;
  ExpectTheStepsOfTheCpu(options);
}

// Gradients of one microbatch against float64 on the CPU, which has no kernels of its own.
TEST_P(TrainDeviceTest, LossesAgainstFloat64) {
  const LatentCache cache = Cache();
  const TrainOptions options = OptionsOfRow();
  const std::vector<SampleDraw> draws =
      PlanStep(options, 1, 0, {cache.size(), {}}).microbatches.front();
  std::vector<int64_t> clips;
  for (const SampleDraw& draw : draws) clips.push_back(draw.clip);
  const EncodedBatch batch = cache.Get(clips);
  const auto losses = [&](c10::Device device, at::ScalarType dtype) {
    WeightMap weights = InitialDitWeights(SmallDit(), Rng(2));
    for (auto& [name, weight] : weights) weight = weight.to(device);
    const Dit dit(SmallDit(), weights, dtype);
    const EncodedBatch moved{batch.latents.to(device), batch.camera.to(device),
                             batch.text.to(device)};
    return SampleLosses(dit, options, draws, moved, text_.Encode("").to(device),
                        /*draws_on_cpu=*/true)
        .to(at::kCPU, at::kDouble);
  };
  const at::Tensor expected = losses(c10::kCPU, at::kDouble);
  const double error =
      ((losses(place_.device, GetParam().dtype) - expected) / expected).abs().max().item<double>();
  EXPECT_LE(error, IsRounded() ? 3e-2 : 1e-4);
}

// The device's own noise: unit variance, another for another seed, the same for the same.
TEST_P(TrainDeviceTest, NoiseOfTheDevice) {
  const LatentCache cache = Cache();
  place_.draws_on_cpu = false;
  Trainer first = MakeTrainer(OptionsOfRow(), {}, place_);
  Trainer second = MakeTrainer(OptionsOfRow(), {}, place_);
  Trainer of_cpu = MakeTrainer(OptionsOfRow());
  const double loss = first.Step(cache, alone_).loss;
  EXPECT_NEAR(loss, second.Step(cache, alone_).loss, 1e-4 * loss);
  EXPECT_NEAR(loss, of_cpu.Step(cache, alone_).loss, 0.5 * loss);
}

// A checkpoint that the device wrote is read by the CPU, and the other way round.
TEST_P(TrainDeviceTest, CheckpointsMove) {
  const LatentCache cache = Cache();
  const TrainOptions options = OptionsOfRow();
  Trainer there = MakeTrainer(options, {}, place_), here = MakeTrainer(options);
  for (int i = 0; i < 3; ++i) there.Step(cache, alone_);
  TrainerState state;
  const auto wait = CopyState(there.State(), state);
  there.Step(cache, alone_);
  wait();
  WriteState(state, folder_ / "copied");
  here.Load(folder_ / "copied");
  EXPECT_EQ(here.train_step(), 3);
  const double loss = here.Step(cache, alone_).loss;
  here.Save(folder_ / "saved");
  there.Load(folder_ / "saved");
  for (const auto& [name, weight] : here.weights())
    EXPECT_TRUE(at::equal(there.weights().at(name).cpu(), weight)) << name;
  EXPECT_TRUE(std::isfinite(loss) && std::isfinite(there.Step(cache, alone_).loss));
}

// What is shipped generates on the device.
TEST_P(TrainDeviceTest, TheAverageGenerates) {
  const LatentCache cache = Cache();
  Trainer trainer = MakeTrainer(OptionsOfRow(), {}, place_);
  trainer.Step(cache, alone_);
  const Dit dit = trainer.ShippedDit();
  EXPECT_EQ(dit.device(), place_.device);
  const PcaAutoencoder moved = dynamic_cast<const PcaAutoencoder&>(*autoencoder_).To(place_.device);
  GenerateOptions generate;
  generate.sampler.sampling = {.steps = 1, .guidance = 1.0, .shift = 30.0};
  const auto generated = Generate({&dit, &moved, &text_, {}, testing::kTrainerFrames},
                                  FindMode("i2a"), {clip_}, generate, Rng(9));
  ASSERT_EQ(generated.size(), 1U);
  EXPECT_TRUE(at::isfinite(generated[0].action_videos.at(0)).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Devices, TrainDeviceTest, testing::AllDeviceRows(),
                         testing::DeviceRowName);

}  // namespace
}  // namespace aim
