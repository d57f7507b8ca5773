// Moments, averages and gradients divided among ranks, against one process that has them all.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "aim/tensor/sealed_weights.h"
#include "train/divided.h"
#include "train/thread_comm.h"
#include "train/trainer_fixture.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::AsRanks;
using testing::QuickTraining;
using testing::ThreadComm;
using testing::TrainerTest;

TEST(SharesTest, EveryTensorHasOneOwnerAndRanksAreNearlyEqual) {
  ShapeMap shapes;
  int64_t total = 0, largest = 0;
  for (int i = 0; i < 40; ++i) {
    const int64_t count = 1 + (i * 37) % 101;
    shapes["w" + std::to_string(i)] = {count, 3};
    total += 3 * count;
    largest = std::max(largest, 3 * count);
  }
  for (const int size : {1, 2, 3, 7, 50}) {
    const std::vector<int> owners = OwnersOf(shapes, size);
    EXPECT_EQ(owners, OwnersOf(shapes, size));
    std::vector<int64_t> loads(static_cast<size_t>(size));
    size_t i = 0;
    for (const auto& [name, shape] : shapes) {
      ASSERT_TRUE(owners[i] >= 0 && owners[i] < size);
      loads[static_cast<size_t>(owners[i++])] += 3 * shape[0];
    }
    EXPECT_EQ(std::accumulate(loads.begin(), loads.end(), int64_t{0}), total);
    for (const int64_t load : loads) EXPECT_LE(load, total / size + largest) << size;
  }
}

// One that is as large as all others has a rank for itself.
TEST(SharesTest, LoadsAreSizesNotNumbers) {
  ShapeMap shapes = {{"a", {10, 10}}};
  for (int i = 0; i < 100; ++i) shapes["b" + std::to_string(i)] = {1};
  const std::vector<int> owners = OwnersOf(shapes, 2);
  EXPECT_EQ(owners[0], 0);
  EXPECT_EQ(std::accumulate(owners.begin(), owners.end(), 0), 100);
}

class DividedTrainingTest : public TrainerTest {
 protected:
  // A network that has been trained a little: no gradient stops at matrices of zeros.
  Trainer Make(const TrainOptions& options, const RankPlace& place = {}) const {
    WeightMap weights = InitialDitWeights(testing::SmallDit(), Rng(2));
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(3);
    for (auto& [name, weight] : weights)
      weight = weight + 0.1 * at::randn(weight.sizes(), generator, weight.options());
    return Trainer({testing::SmallDit(), weights, text_.Encode("")}, options, testing::kTrainerSeed,
                   place);
  }

  static void ExpectNear(const WeightMap& found, const WeightMap& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, tensor] : expected) {
      const double largest = tensor.abs().max().item<double>();
      EXPECT_LE((found.at(name) - tensor).abs().max().item<double>(), 1e-5 * largest) << name;
    }
  }
};

// Weights on every rank, and the average that rank 0 has after gathering, are those of one process.
TEST_F(DividedTrainingTest, EveryStageTrainsAsOneProcessDoes) {
  const LatentCache cache = Cache();
  for (const auto& optimizer : WordsOf(OptimizerKind{})) {
    for (const auto& [stage, size] : {std::pair{1, 2}, {2, 2}, {1, 4}, {2, 4}, {2, 3}}) {
      SCOPED_TRACE(std::string(optimizer.text) + ", stage " + std::to_string(stage) + ", " +
                   std::to_string(size) + " ranks");
      TrainOptions options = QuickTraining();
      options.optimizer = optimizer.value;
      options.batch_size = 5;
      options.microbatch = 1;
      options.num_workers = 2;
      options.clip_norm = 0.1;
      options.lr = 1e-3;
      constexpr int kSteps = 4;
      Trainer alone = Make(options);
      std::vector<StepReport> expected;
      for (int i = 0; i < kSteps; ++i) expected.push_back(alone.Step(cache, alone_));
      EXPECT_GT(expected[0].grad_norm, options.clip_norm);
      options.zero = stage;
      AsRanks(size, [&, &stage = stage](ThreadComm& comm) {
        Trainer trainer = Make(options, {comm.rank(), comm.size()});
        EXPECT_TRUE(trainer.is_divided());
        EXPECT_LT(trainer.averaged_weights().size(), alone.averaged_weights().size());
        for (const StepReport& one : expected) {
          const StepReport report = trainer.Step(cache, comm);
          EXPECT_NEAR(report.loss, one.loss, 1e-6 * one.loss);
          EXPECT_NEAR(report.grad_norm, one.grad_norm, 1e-5 * one.grad_norm);
        }
        ExpectNear(trainer.weights(), alone.weights());
        trainer.GatherAverage(comm);
        if (comm.rank() == 0) ExpectNear(trainer.averaged_weights(), alone.averaged_weights());
      });
    }
  }
}

// What four ranks have saved, one, two, and three at another stage go on with; the files are those
// that a process alone writes.
TEST_F(DividedTrainingTest, ACheckpointIsReadByAnyNumberOfRanksAndAtAnyStage) {
  const LatentCache cache = Cache();
  for (const auto& optimizer : WordsOf(OptimizerKind{})) {
    TrainOptions options = QuickTraining();
    options.optimizer = optimizer.value;
    options.lr = 1e-3;
    const fs::path saved = folder_ / optimizer.text;
    Trainer alone = Make(options);
    for (int i = 0; i < 2; ++i) alone.Step(cache, alone_);
    alone.Save(folder_ / "alone" / optimizer.text);
    options.zero = 1;
    AsRanks(4, [&](ThreadComm& comm) {
      Trainer trainer = Make(options, {comm.rank(), comm.size()});
      for (int i = 0; i < 2; ++i) trainer.Step(cache, comm);
      trainer.SaveDivided(saved, comm);
    });
    for (const char* file :
         {"weights.safetensors", "average.safetensors", "optimizer.safetensors"}) {
      const WeightMap found = OpenSealed(saved / file).tensors;
      EXPECT_FALSE(OpenSealed(saved / file).metadata.at("fingerprint").empty());
      ExpectNear(found, OpenSealed(folder_ / "alone" / optimizer.text / file).tensors);
    }
    for (int i = 0; i < 2; ++i) alone.Step(cache, alone_);
    for (const auto& [stage, size] : {std::pair{0, 1}, {2, 3}, {0, 2}, {1, 2}}) {
      options.zero = stage;
      AsRanks(size, [&, &ranks = size](ThreadComm& comm) {
        Trainer trainer = Make(options, {comm.rank(), comm.size()});
        if (comm.rank() == 0) trainer.Load(saved);
        if (ranks > 1) trainer.TakeStateOfRank0(comm);
        EXPECT_EQ(trainer.train_step(), 2);
        for (int i = 0; i < 2; ++i) trainer.Step(cache, comm);
        ExpectNear(trainer.weights(), alone.weights());
        trainer.GatherAverage(comm);
        if (comm.rank() == 0) ExpectNear(trainer.averaged_weights(), alone.averaged_weights());
      });
    }
  }
}

// All ranks leave the step out, and none sends weights.
TEST_F(DividedTrainingTest, AStepThatIsNotFiniteIsLeftOutByAll) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.zero = 2;
  AsRanks(2, [&](ThreadComm& comm) {
    Trainer trainer = Make(options, {comm.rank(), comm.size()});
    at::Tensor bias = trainer.weights().at("head.head.bias");  // shared with the trainer
    const at::Tensor kept = bias.clone();
    bias.fill_(NAN);
    EXPECT_TRUE(trainer.Step(cache, comm).is_lost);
    bias.copy_(kept);
    EXPECT_FALSE(trainer.Step(cache, comm).is_lost);
    for (const auto& [name, weight] : trainer.weights())
      EXPECT_TRUE(weight.isfinite().all().item<bool>()) << name;
    for (const auto& [name, average] : trainer.averaged_weights())
      EXPECT_TRUE(average.isfinite().all().item<bool>()) << name;
  });
}

TEST_F(DividedTrainingTest, AProcessAloneDividesNothing) {
  TrainOptions options = QuickTraining();
  options.zero = 2;
  const LatentCache cache = Cache();
  Trainer divided = MakeTrainer(options);
  options.zero = 0;
  Trainer plain = MakeTrainer(options);
  divided.Step(cache, alone_);
  plain.Step(cache, alone_);
  EXPECT_TRUE(SameBits(divided, plain));
}

}  // namespace
}  // namespace aim
