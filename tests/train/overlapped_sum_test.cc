#include "train/overlapped_sum.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/thread_comm.h"
#include "train/trainer_fixture.h"

namespace aim {
namespace {

using testing::AsRanks;
using ::testing::ElementsAre;
using testing::ThreadComm;

using Groups = std::vector<std::vector<size_t>>;

TEST(OverlappedSumTest, TheOrderIsThatOfABackwardPass) {
  const WeightMap weights = {{"blocks.10.ffn.0.weight", {}}, {"blocks.2.cross_attn.k.weight", {}},
                             {"blocks.2.ffn.0.weight", {}},  {"blocks.2.self_attn.k.weight", {}},
                             {"head.head.weight", {}},       {"patch_embedding.weight", {}},
                             {"text_embedding.0.weight", {}}};
  EXPECT_THAT(BackwardOrder(weights), ElementsAre(4, 0, 2, 3, 1, 5, 6));
}

TEST(OverlappedSumTest, GroupsKeepTheOrderAndEndWhereTheyAreFull) {
  std::vector<at::Tensor> tensors;
  for (int i = 0; i < 4; ++i) tensors.push_back(at::zeros({i == 3 ? 100 : 2}));  // 8 bytes each
  EXPECT_EQ(GroupsInOrder({2, 0, 3, 1}, tensors, 1), (Groups{{2}, {0}, {3}, {1}}));
  EXPECT_EQ(GroupsInOrder({2, 0, 3, 1}, tensors, 16), (Groups{{2, 0}, {3}, {1}}));
  EXPECT_EQ(GroupsInOrder({2, 0, 3, 1}, tensors, 1000), (Groups{{2, 0, 3, 1}}));
}

// Notes which sums it was asked to begin.
class NotingComm : public LocalComm {
 public:
  std::function<void()> StartSum(std::vector<at::Tensor> tensors) override {
    for (const at::Tensor& tensor : tensors) begun.push_back(tensor[0].item<float>());
    return [this] { ++num_waited; };
  }
  std::vector<float> begun;
  int num_waited = 0;
};

// Groups go in their order: one that is ready early waits for those before it, on every rank.
TEST(OverlappedSumTest, AGroupGoesWhenItAndThoseBeforeItAreReady) {
  NotingComm comm;
  std::vector<at::Tensor> sums;
  for (int i = 0; i < 5; ++i) sums.push_back(at::full({1}, static_cast<float>(i)));
  OverlappedSum sum(sums, {{3, 1}, {0}, {4, 2}}, comm);
  sum.Ready(0);
  sum.Ready(3);
  sum.Ready(3);
  EXPECT_THAT(comm.begun, ElementsAre());
  sum.Ready(1);
  EXPECT_THAT(comm.begun, ElementsAre(3, 1, 0));
  EXPECT_EQ(comm.num_waited, 0);
  sum.Ready(4);
  EXPECT_EQ(comm.begun.size(), 3U);
  sum.Finish();
  EXPECT_THAT(comm.begun, ElementsAre(3, 1, 0, 4, 2));
  EXPECT_EQ(comm.num_waited, 3);
}

class OverlappedTrainingTest : public testing::TrainerTest {};

// A rank without a microbatch, ranks with one and with several, threads: the step of one process.
TEST_F(OverlappedTrainingTest, RanksTakeTheStepOfOne) {
  const LatentCache cache = Cache();
  TrainOptions options = testing::QuickTraining();
  options.batch_size = 5;
  options.microbatch = 1;
  options.mix = {{"i2a", 1}};
  Trainer alone = MakeTrainer(options);
  std::vector<double> norms;
  for (int i = 0; i < 3; ++i) norms.push_back(alone.Step(cache, alone_).grad_norm);
  for (const auto& [size, workers] : {std::pair{2, 1}, {2, 3}, {4, 2}, {6, 1}}) {
    options.num_workers = workers;
    AsRanks(size, [&](ThreadComm& comm) {
      Trainer trainer = MakeTrainer(options, {comm.rank(), comm.size()});
      for (const double norm : norms)
        EXPECT_NEAR(trainer.Step(cache, comm).grad_norm, norm, 1e-5 * norm);
      for (const auto& [name, weight] : alone.weights()) {
        const double largest = weight.abs().max().item<double>();
        const at::Tensor difference = trainer.weights().at(name) - weight;
        EXPECT_LE(difference.abs().max().item<double>(), 1e-5 * largest) << name;
      }
    });
  }
}

}  // namespace
}  // namespace aim
