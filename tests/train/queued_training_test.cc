// Steps that are queued as on a GPU, on the CPU, against those of its threads and loops.
#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "aim/base/error.h"
#include "aim/base/run_context.h"
#include "aim/train/training_memory.h"
#include "support/throws.h"
#include "train/checkpoints.h"
#include "train/thread_comm.h"
#include "train/trainer_fixture.h"

namespace aim {
namespace {

using testing::QuickTraining;
using testing::ShareOfTheWay;
using testing::SmallDit;
using testing::TrainerTest;

const TrainingDevice kQueued{.is_queued = true};
const TrainingDevice kStreamed{.is_queued = true, .most_resident_bytes = 0};

class QueuedTrainingTest : public TrainerTest {
 protected:
  void Run(Trainer& trainer, int num_steps) {
    for (int i = 0; i < num_steps; ++i) reports_.push_back(trainer.Step(cache_, alone_));
  }

  // After ten steps: sums of gradients are float32 in the one, float64 in the other.
  void ExpectTheSameSteps(const TrainOptions& options, const TrainingDevice& device = kQueued) {
    Trainer queued = MakeTrainer(options, {}, device), threads = MakeTrainer(options);
    WeightMap initial;
    for (const auto& [name, weight] : threads.weights()) initial[name] = weight.clone();
    for (int i = 0; i < 10; ++i) {
      const StepReport found = queued.Step(cache_, alone_);
      const StepReport expected = threads.Step(cache_, alone_);
      EXPECT_NEAR(found.loss, expected.loss, 1e-4 * expected.loss) << "step " << i;
      EXPECT_NEAR(found.grad_norm, expected.grad_norm, 1e-3 * expected.grad_norm) << "step " << i;
      EXPECT_EQ(found.lr, expected.lr);
      EXPECT_EQ(found.losses.AsTensor().select(1, 1).sum().item<double>(),
                expected.losses.AsTensor().select(1, 1).sum().item<double>());
    }
    EXPECT_LE(ShareOfTheWay(queued.weights(), threads.weights(), initial), 1e-3);
    EXPECT_LE(ShareOfTheWay(queued.averaged_weights(), threads.averaged_weights(), initial), 1e-3);
    for (size_t i = 0; i < options.more_ema.size(); ++i) {
      EXPECT_LE(ShareOfTheWay(queued.more_averages()[i], threads.more_averages()[i], initial),
                1e-3);
    }
  }

  LatentCache cache_ = Cache();
  std::vector<StepReport> reports_;
};

TEST_F(QueuedTrainingTest, TenStepsAreThoseOfTheThreads) {
  TrainOptions options = QuickTraining();
  options.batch_size = 6;
  for (const auto& kind : WordsOf(OptimizerKind{})) {
    SCOPED_TRACE(kind.text);
    options.optimizer = kind.value;
    ExpectTheSameSteps(options);
  }
  ExpectTheSameSteps(options, kStreamed);
}

TEST_F(QueuedTrainingTest, SoAreTheyWithEachOptionOfTheNetwork) {
  std::vector<TrainOptions> all(4, QuickTraining());
  all[0].gradient_checkpointing = true;
  all[1].lora = {.rank = 2, .alpha = 4};
  all[2].trained = {"blocks.1", "head"};
  all[2].gradient_checkpointing = true;
  all[3].ema = 0;
  all[3].more_ema = {0.5, 0.99};
  all[3].clip_norm = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectTheSameSteps(all[i]);
  }
}

// In bfloat16 as well: the leaves are rounded once a step in both.
TEST_F(QueuedTrainingTest, ProductsInBf16) {
  TrainOptions options = QuickTraining();
  options.dtype = ComputeDtype::kBf16;
  Trainer queued = MakeTrainer(options, {}, kQueued), threads = MakeTrainer(options);
  for (int i = 0; i < 3; ++i) {
    const double found = queued.Step(cache_, alone_).loss,
                 expected = threads.Step(cache_, alone_).loss;
    EXPECT_NEAR(found, expected, 1e-2 * expected);
  }
  EXPECT_EQ(queued.weights().at("head.head.weight").scalar_type(), at::kFloat);
  EXPECT_EQ(queued.ShippedDit().compute_dtype, at::kBFloat16);
}

// Clips on the device and clips that a thread fetches are the same, bit for bit.
TEST_F(QueuedTrainingTest, WhereClipsLieChangesNothing) {
  Trainer resident = MakeTrainer(QuickTraining(), {}, kQueued);
  Trainer streamed = MakeTrainer(QuickTraining(), {}, kStreamed);
  Run(resident, 4);
  Run(streamed, 4);
  EXPECT_TRUE(SameBits(resident, streamed));
  EXPECT_GT(reports_[0].work_s, 0);
}

std::atomic<int> num_reads = 0;

// Operations that hand a number to the program, for which a device would be waited for. Copies from
// a device to the CPU are none on a CPU, and so are not seen here.
std::unique_ptr<at::ObserverContext> CountReads(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  if (name == "aten::item" || name == "aten::nonzero" || name == "aten::is_nonzero") ++num_reads;
  return nullptr;
}

TEST_F(QueuedTrainingTest, NoNumberIsReadInAPass) {
  std::vector<TrainOptions> all(2, QuickTraining());
  all[1].gradient_checkpointing = true;
  const EncodedBatch batch = cache_.GetStored({0, 1, 2}, false);
  const at::CallbackHandle handle = at::addGlobalCallback(
      at::RecordFunctionCallback(CountReads).scopes({at::RecordScope::FUNCTION}));
  for (const TrainOptions& options : all) {
    WeightMap named = InitialDitWeights(SmallDit(), Rng(2));
    std::vector<at::Tensor> leaves;
    for (auto& [name, weight] : named) leaves.push_back(weight.requires_grad_(true));
    const Dit dit(SmallDit(), named);
    for (Microbatch draws : PlanStep(options, 1, 0, {3, {}}).microbatches) {
      draws.resize(3, draws.front());
      const at::Tensor losses = SampleLosses(dit, options, draws, batch, text_.Encode(""));
      torch::autograd::grad({losses.sum()}, leaves, {}, false, false, /*allow_unused=*/true);
    }
    EXPECT_EQ(num_reads, 0);
  }
  static_cast<void>(batch.text.sum().item<float>());
  EXPECT_EQ(num_reads, 1);
  at::removeCallback(handle);
}

// The choice of attention is the caller's again.
TEST_F(QueuedTrainingTest, AttentionIsChosenForTheStepAlone) {
  Trainer trainer = MakeTrainer(QuickTraining(), {}, kQueued);
  std::vector<bool> within;
  static std::vector<bool>* seen = nullptr;
  seen = &within;
  const at::CallbackHandle handle = at::addGlobalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
        if (std::string_view(function.name()) == "aten::mm")
          seen->push_back(at::globalContext().userEnabledCuDNNSDP());
        return nullptr;
      }));
  Run(trainer, 1);
  at::removeCallback(handle);
  ASSERT_FALSE(within.empty());
  EXPECT_TRUE(std::ranges::none_of(within, [](bool enabled) { return enabled; }));
  EXPECT_TRUE(at::globalContext().userEnabledCuDNNSDP());
}

// A checkpoint of the one goes on in the other, in both directions, as one run.
TEST_F(QueuedTrainingTest, CheckpointsMoveBetweenDevices) {
  for (const bool is_async : {true, false}) {
    for (const bool begins_queued : {true, false}) {
      const TrainingDevice first = begins_queued ? kQueued : TrainingDevice{};
      const TrainingDevice second = begins_queued ? TrainingDevice{} : kQueued;
      TrainOptions options = QuickTraining();
      options.async_save = is_async;
      options.more_ema = {0.5};
      const auto out = folder_ / ("run" + std::to_string(is_async) + std::to_string(begins_queued));
      Trainer whole = MakeTrainer(options), begun = MakeTrainer(options, {}, first);
      WeightMap initial;
      for (const auto& [name, weight] : whole.weights()) initial[name] = weight.clone();
      Run(whole, 8);
      Run(begun, 4);
      CheckpointWriter(out, options).Save(begun);
      Trainer resumed = MakeTrainer(options, {}, second);
      RunContext run({.out = out, .resume = true});
      Resume(resumed, 100, run);
      ASSERT_EQ(resumed.train_step(), 4);
      Run(resumed, 4);
      EXPECT_LE(ShareOfTheWay(resumed.weights(), whole.weights(), initial), 1e-3);
      EXPECT_LE(ShareOfTheWay(resumed.averaged_weights(), whole.averaged_weights(), initial), 1e-3);
      EXPECT_LE(ShareOfTheWay(resumed.more_averages()[0], whole.more_averages()[0], initial), 1e-3);
    }
  }
}

// A copy that is being saved stays what it was while steps go on.
TEST_F(QueuedTrainingTest, ACopyOfTheStateIsOfItsStep) {
  Trainer trainer = MakeTrainer(QuickTraining(), {}, kQueued);
  Run(trainer, 2);
  TrainerState copy;
  const auto wait = CopyState(trainer.State(), copy);
  Run(trainer, 1);
  wait();
  EXPECT_EQ(copy.train_step, 2);
  for (const auto& [name, weight] : copy.weights) {
    EXPECT_TRUE(weight.is_cpu());
    EXPECT_FALSE(weight.is_same(trainer.weights().at(name)));
  }
  EXPECT_FALSE(
      at::equal(copy.weights.at("head.head.weight"), trainer.weights().at("head.head.weight")));
}

TEST_F(QueuedTrainingTest, AStepWithoutAFiniteGradientIsLeftOut) {
  TrainedNetwork network{SmallDit(), InitialDitWeights(SmallDit(), Rng(2)), text_.Encode("")};
  network.weights.at("head.head.bias").fill_(std::numeric_limits<float>::quiet_NaN());
  TrainOptions options = QuickTraining();
  options.max_lost_steps = 1;
  Trainer trainer(std::move(network), options, 1, {}, kQueued);
  const at::Tensor before = trainer.weights().at("head.head.weight").clone();
  const StepReport report = trainer.Step(cache_, alone_);
  EXPECT_TRUE(report.is_lost);
  EXPECT_EQ(report.not_finite.size(), static_cast<size_t>(options.batch_size));
  EXPECT_TRUE(at::equal(before, trainer.weights().at("head.head.weight")));
  testing::ExpectThrowsWith<InputError>([&] { trainer.Step(cache_, alone_); },
                                        {"train.max_lost_steps"});
}

TEST_F(QueuedTrainingTest, WhatAQueueCannotDoIsRefused) {
  const auto refuse = [&](const auto& change, const char* words) {
    TrainOptions options = QuickTraining();
    change(options);
    testing::ExpectThrowsWith<ConfigError>([&] { RequireQueueable(options); }, {words});
  };
  refuse([](TrainOptions& o) { o.num_workers = 2; }, "train.num_workers is 2; expected 0 or 1");
  refuse([](TrainOptions& o) { o.moments = MomentDtype::kBf16; }, "train.moments is bf16");
  refuse([](TrainOptions& o) { o.zero = 1; }, "train.zero is 1; expected 0");
  TrainOptions options = QuickTraining();
  options.num_workers = 1;
  RequireQueueable(options);
  options.num_workers = 3;
  testing::ExpectThrowsWith<ConfigError>([&] { MakeTrainer(options, {}, kQueued); },
                                         {"train.num_workers"});
}

// A rank with several microbatches, one, and none; the threads' steps are those of one process.
TEST_F(QueuedTrainingTest, RanksTakeTheStepsOfOne) {
  TrainOptions options = QuickTraining();
  options.batch_size = 5;
  options.microbatch = 1;
  Trainer alone = MakeTrainer(options, {}, kQueued);
  WeightMap initial;
  for (const auto& [name, weight] : alone.weights()) initial[name] = weight.clone();
  for (int i = 0; i < 3; ++i) reports_.push_back(alone.Step(cache_, alone_));
  for (const int size : {2, 3, 6}) {
    testing::AsRanks(size, [&](testing::ThreadComm& comm) {
      Trainer trainer = MakeTrainer(options, {comm.rank(), comm.size()}, kQueued);
      trainer.TakeStateOfRank0(comm);
      for (const StepReport& expected : reports_) {
        const bool asks_to_stop = comm.rank() == size - 1;
        const StepReport found = trainer.Step(cache_, comm, asks_to_stop);
        EXPECT_NEAR(found.loss, expected.loss, 1e-6 * expected.loss);
        EXPECT_NEAR(found.grad_norm, expected.grad_norm, 1e-5 * expected.grad_norm);
        EXPECT_EQ(found.losses.AsTensor().select(1, 1).sum().item<double>(), 10);  // mode, noise
        EXPECT_TRUE(found.stops);
        EXPECT_EQ(found.rank_times.size(), static_cast<size_t>(size));
      }
      EXPECT_LE(ShareOfTheWay(trainer.weights(), alone.weights(), initial), 1e-3);
    });
  }
}

TEST_F(QueuedTrainingTest, AnotherDeviceIsWordedByItsName) {
  EXPECT_FALSE(ParseTrainingDevice("cpu").is_queued);
  testing::ExpectThrowsWith<ConfigError>([] { ParseTrainingDevice("gpu"); }, {"--device", "gpu"});
}

}  // namespace
}  // namespace aim
