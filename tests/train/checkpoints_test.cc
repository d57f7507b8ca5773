#include "train/checkpoints.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/sealed_weights.h"
#include "support/file_size_limit.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

DitOptions TinyDit() {
  DitOptions options;
  options.in_channels = options.out_channels = 4;
  options.dim = 12;
  options.ffn_dim = 16;
  options.num_heads = 2;
  options.num_layers = 1;
  options.freq_dim = 8;
  options.text_dim = 5;
  return options;
}

Trainer NewTrainer(const TrainOptions& options) {
  return Trainer({TinyDit(), InitialDitWeights(TinyDit(), Rng(2)), at::zeros({1, 5})}, options, 1);
}

class CheckpointsTest : public ::testing::TestWithParam<bool> {
 protected:
  CheckpointsTest() { options_.async_save = GetParam(); }

  // Stands at `train_step`; its weights are full of that number.
  Trainer At(int64_t train_step) const {
    Trainer trainer = NewTrainer(options_);
    TrainerState state = trainer.State();
    state.train_step = train_step;
    for (auto& [name, weight] : state.weights) weight.fill_(static_cast<double>(train_step));
    const fs::path made = folder_ / "made";
    WriteState(state, made);
    trainer.Load(made);
    return trainer;
  }

  std::vector<std::string> Saved() const {
    std::vector<std::string> names;
    if (!fs::exists(folder_ / "checkpoints")) return names;
    for (const auto& entry : fs::directory_iterator(folder_ / "checkpoints"))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  double NumberIn(const std::string& checkpoint) const {
    const auto file = OpenSealed(folder_ / "checkpoints" / checkpoint / "weights.safetensors");
    return file.tensors.at("head.head.bias")[0].item<double>();
  }

  TrainOptions options_;
  testing::TemporaryFolder folder_;
};

TEST_P(CheckpointsTest, TheNewestStayAndTheBest) {
  options_.keep_checkpoints = 2;
  CheckpointWriter writer(folder_.path(), options_);
  for (int64_t step = 1; step <= 6; ++step) {
    const Trainer trainer = At(step);
    writer.Save(trainer);
    if (step == 2 || step == 3) writer.KeepBest(step);
  }
  writer.Wait();
  EXPECT_THAT(Saved(), ElementsAre("step_00000003", "step_00000005", "step_00000006"));
  for (const std::string& name : Saved()) EXPECT_EQ(NumberIn(name), name.back() - '0') << name;
}

// What is written is the state when it was saved, whatever the steps after it do.
TEST_P(CheckpointsTest, StepsThatFollowChangeNothing) {
  CheckpointWriter writer(folder_.path(), options_);
  const Trainer trainer = At(5);
  writer.Save(trainer);
  for (const auto& [name, weight] : trainer.weights()) weight.fill_(-1);
  writer.Wait();
  EXPECT_EQ(NumberIn("step_00000005"), 5);
}

// SIGTERM while one is written, the end of the run right after its last step.
TEST_P(CheckpointsTest, TheEndWaitsForTheLast) {
  { CheckpointWriter(folder_.path(), options_).Save(At(8)); }
  EXPECT_THAT(Saved(), ElementsAre("step_00000008"));
  EXPECT_EQ(NumberIn("step_00000008"), 8);
}

// The newest is damaged and the only one kept: what is left is the best.
TEST_P(CheckpointsTest, FromADamagedOneARunGoesBackToTheBest) {
  options_.keep_checkpoints = 1;
  CheckpointWriter writer(folder_.path(), options_);
  for (int64_t step = 1; step <= 4; ++step) {
    writer.Save(At(step));
    if (step == 2) writer.KeepBest(step);
  }
  writer.Wait();
  const fs::path damaged = folder_ / "checkpoints/step_00000004/optimizer.safetensors";
  WriteFileAtomic(damaged, ReadFile(damaged).substr(0, 500));
  Trainer trainer = NewTrainer(options_);
  const RunContext run({.out = folder_.path(), .resume = true});
  Resume(trainer, 10, run);
  EXPECT_EQ(trainer.train_step(), 2);
}

// The one before it stays, nothing half-written is left; it is told once, and when there is space
// again, saving goes on.
TEST_P(CheckpointsTest, AFullDiskIsToldAndHarmsNoCheckpoint) {
  CheckpointWriter writer(folder_.path(), options_);
  writer.Save(At(1));
  writer.Wait();
  const Trainer next = At(2);
  {
    const testing::FileSizeLimit full(2000);
    testing::ExpectThrowsWith<IoError>(
        [&] {
          writer.Save(next);
          writer.Wait();
        },
        {"step_00000002", "weights.safetensors is not written", "space on the disk"});
  }
  EXPECT_THAT(Saved(), ElementsAre("step_00000001"));
  EXPECT_EQ(NumberIn("step_00000001"), 1);
  EXPECT_NO_THROW(writer.Wait());
  writer.Save(next);
  writer.Wait();
  EXPECT_THAT(Saved(), ElementsAre("step_00000001", "step_00000002"));
}

// A run looks between its steps, and does not wait for a writer that is at work.
TEST(Checkpoints, AFailureIsSeenBetweenSteps) {
  const testing::TemporaryFolder folder;
  WriteFileAtomic(folder / "checkpoints", "a file where a folder should be");
  CheckpointWriter writer(folder.path(), {});
  writer.Save(NewTrainer({}));
  testing::ExpectThrowsWith<IoError>(
      [&] {
        for (;;) writer.ThrowIfFailed();
      },
      {"checkpoints", "not writable"});
}

TEST(Checkpoints, WhatAKilledRunLeftHalfWrittenIsRemoved) {
  const testing::TemporaryFolder folder;
  fs::create_directories(folder / "checkpoints/.step_00000007.tmp-1-ab");
  fs::create_directories(folder / "checkpoints/mine");
  const CheckpointWriter writer(folder.path(), {});
  EXPECT_FALSE(fs::exists(folder / "checkpoints/.step_00000007.tmp-1-ab"));
  EXPECT_TRUE(fs::exists(folder / "checkpoints/mine"));
}

INSTANTIATE_TEST_SUITE_P(Ways, CheckpointsTest, ::testing::Bool(), [](const auto& of) {
  return of.param ? "beside_the_steps" : "between_them";
});

}  // namespace
}  // namespace aim
