#include "aim/train/trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/summary.h"
#include "aim/diffusion/generate.h"
#include "aim/metrics/clip_quality.h"
#include "support/throws.h"
#include "train/thread_comm.h"
#include "train/trainer_fixture.h"

namespace aim {
namespace {

using testing::kTrainerSeed;
using testing::MakeClip;
using testing::QuickTraining;
using testing::SmallDit;
using testing::ThreadComm;
using testing::TrainerTest;

// Options that train a part: an adapter, named weights, both.
std::vector<TrainOptions> PartialTrainings() {
  std::vector<TrainOptions> trainings(3, QuickTraining());
  trainings[0].lora = {.rank = 2, .alpha = 4};
  trainings[1].trained = {"self_attn", "text_embedding"};
  trainings[2].lora = {.rank = 2, .targets = {"ffn"}};
  trainings[2].trained = {"cam_encoder"};
  return trainings;
}

// One step of each as a rank of one run.
std::vector<StepReport> StepTogether(std::vector<Trainer>& ranks, const LatentCache& cache) {
  std::vector<StepReport> reports(ranks.size());
  testing::AsRanks(static_cast<int>(ranks.size()), [&](ThreadComm& comm) {
    const auto i = static_cast<size_t>(comm.rank());
    reports[i] = ranks[i].Step(cache, comm);
  });
  return reports;
}

TEST_F(TrainerTest, OneClipIsLearntToMillimetres) {
  const ClipEncoder encoder{autoencoder_.get(), &text_, SmallDit(), {}, testing::kTrainerFrames};
  const std::filesystem::path dir = folder_ / "one";
  const auto make = [&](int64_t) {
    return std::vector<CachedClip>{{encoder.Encode(clip_), clip_}};
  };
  BuildLatentCache(dir, {.key = "one", .num_items = 1, .start_worker = [&] { return make; }});
  const LatentCache cache = LatentCache::Open(dir, "one");
  TrainOptions options = QuickTraining();
  options.mix = {{"i2a", 1}};
  options.steps = 400;
  options.shift = 30;
  Trainer trainer = MakeTrainer(options);
  while (trainer.train_step() < options.steps) trainer.Step(cache, alone_);

  const Dit dit{SmallDit(), trainer.averaged_weights(), at::kFloat};
  GenerateOptions generate;
  generate.sampler.sampling = {.steps = 2, .guidance = 1.0, .shift = 30.0};
  Clip known = clip_;  // what a policy sees: first pictures, first pose
  for (ClipView& view : known.views) view.num_frames = 1;
  known.poses.resize(1);
  const auto generated = Generate({&dit, autoencoder_.get(), &text_, {}, testing::kTrainerFrames},
                                  FindMode("i2a"), {known}, generate, Rng(9));
  PoseErrors errors;
  errors.Add(generated[0].poses, clip_.poses);
  EXPECT_EQ(errors.not_decodable, 0);
  EXPECT_LT(Median(errors.position_mm), 5.0);
  EXPECT_LT(Median(errors.rotation_deg), 3.0);
  EXPECT_EQ(errors.gripper_right, testing::kTrainerFrames - 1);
}

// A sample without its prompt is that of an empty one, whatever its neighbour has.
TEST_F(TrainerTest, ADroppedPromptIsTheEmptyOne) {
  const LatentCache cache = Cache();
  at::manual_seed(1);
  WeightMap weights = InitialDitWeights(SmallDit(), Rng(2));
  for (auto& [name, weight] : weights) weight = weight + 0.2 * at::randn_like(weight);
  const Dit dit(SmallDit(), weights);
  std::vector<SampleDraw> draws(2, {.mode = &FindMode("i2va"), .noise = {0.5, 500, 1}});
  EncodedBatch batch = cache.Get({0, 1});
  draws[1].drop_text = true;
  const auto losses = [&] {
    return SampleLosses(dit, QuickTraining(), draws, batch, text_.Encode("")).detach();
  };
  const at::Tensor dropped = losses();
  draws[1].drop_text = false;
  const at::Tensor kept = losses();
  batch.text = batch.text.clone();
  batch.text[1].copy_(text_.Encode(""));
  EXPECT_TRUE(at::equal(losses(), dropped));
  EXPECT_TRUE(at::equal(kept[0], dropped[0]));
  EXPECT_FALSE(at::equal(kept[1], dropped[1]));
}

TEST_F(TrainerTest, ResumingGivesTheSameBits) {
  const LatentCache cache = Cache();
  for (const auto& optimizer : WordsOf(OptimizerKind{})) {
    TrainOptions options = QuickTraining();
    options.optimizer = optimizer.value;
    Trainer whole = MakeTrainer(options);
    Trainer first = MakeTrainer(options);
    for (int i = 0; i < 3; ++i) first.Step(cache, alone_);
    first.Save(folder_ / optimizer.text);
    Trainer second = MakeTrainer(options);
    second.Load(folder_ / optimizer.text);
    for (int i = 0; i < 6; ++i) whole.Step(cache, alone_);
    for (int i = 0; i < 3; ++i) second.Step(cache, alone_);
    EXPECT_TRUE(SameBits(whole, second)) << optimizer.text;
    first.Step(cache, alone_);
    EXPECT_FALSE(SameBits(whole, first)) << optimizer.text;
  }
}

TEST_F(TrainerTest, ResumingWithBf16MomentsAndMoreAveragesGivesTheSameBits) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.moments = MomentDtype::kBf16;
  options.more_ema = {0.5, 0.99};
  Trainer whole = MakeTrainer(options);
  Trainer first = MakeTrainer(options);
  for (int i = 0; i < 3; ++i) first.Step(cache, alone_);
  first.Save(folder_ / "saved");
  Trainer second = MakeTrainer(options);
  second.Load(folder_ / "saved");
  for (int i = 0; i < 6; ++i) whole.Step(cache, alone_);
  for (int i = 0; i < 3; ++i) second.Step(cache, alone_);
  EXPECT_TRUE(SameBits(whole, second));
  for (size_t i = 0; i < 2; ++i) {
    for (const auto& [name, average] : whole.more_averages()[i]) {
      EXPECT_TRUE(at::equal(average, second.more_averages()[i].at(name))) << name;
    }
  }
}

// Each further average is what the shipped one is at its decay, and changes nothing else.
TEST_F(TrainerTest, AFurtherAverageIsTheShippedOneOfItsDecay) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.ema = 0.5;
  Trainer shorter = MakeTrainer(options);
  options.ema = 0;
  options.more_ema = {0.5};
  Trainer beside = MakeTrainer(options);
  for (int i = 0; i < 15; ++i) {
    shorter.Step(cache, alone_);
    beside.Step(cache, alone_);
  }
  for (const auto& [name, weight] : shorter.weights()) {
    EXPECT_TRUE(at::equal(weight, beside.weights().at(name))) << name;
    EXPECT_TRUE(at::equal(shorter.averaged_weights().at(name), beside.more_averages()[0].at(name)));
  }
  // Without an average of its own a run ships its weights, and saves no copy of them.
  EXPECT_EQ(&beside.averaged_weights(), &beside.weights());
  beside.Save(folder_ / "saved");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "saved/average.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "saved/average-0.5.safetensors"));
}

TEST_F(TrainerTest, GradientCheckpointingChangesNoBit) {
  const LatentCache cache = Cache();
  for (TrainOptions options : {QuickTraining(), PartialTrainings()[0]}) {
    Trainer kept = MakeTrainer(options);
    options.gradient_checkpointing = true;
    Trainer recomputed = MakeTrainer(options);
    for (int i = 0; i < 3; ++i) {
      kept.Step(cache, alone_);
      recomputed.Step(cache, alone_);
    }
    EXPECT_TRUE(SameBits(kept, recomputed));
  }
}

TEST_F(TrainerTest, OnlyWhatIsNamedIsTrained) {
  const LatentCache cache = Cache();
  WeightMap initial = InitialDitWeights(SmallDit(), Rng(2));
  at::manual_seed(3);  // a network that has been trained: no gradient stops at matrices of zeros
  for (auto& [name, weight] : initial) weight = weight + 0.1 * at::randn_like(weight);
  const auto make = [&](const TrainOptions& options) {
    WeightMap weights;  // trained in place
    for (const auto& [name, weight] : initial) weights[name] = weight.clone();
    return Trainer({SmallDit(), weights, text_.Encode("")}, options, kTrainerSeed);
  };
  const double loss = make(QuickTraining()).Step(cache, alone_).loss;
  for (const TrainOptions& options : PartialTrainings()) {
    Trainer trainer = make(options);
    EXPECT_EQ(trainer.Step(cache, alone_).loss, loss);  // an adapter begins without effect
    trainer.Step(cache, alone_);
    for (const auto& [name, weight] : trainer.ShippedWeights()) {
      const bool is_trained = std::ranges::any_of(
          options.trained, [&, &of = name](const auto& word) { return HoldsWord(of, word); });
      EXPECT_EQ(at::equal(weight, initial.at(name)), !is_trained) << name;
    }
    const Lora adapter = trainer.ShippedAdapter();
    EXPECT_EQ(adapter.weights.empty(), options.lora.rank == 0);
    for (const auto& [name, weight] : adapter.weights) EXPECT_TRUE(weight.any().item<bool>());
    EXPECT_EQ(adapter.scale, options.lora.scale());
  }
}

TEST_F(TrainerTest, APartIsResumedWithTheSameBits) {
  const LatentCache cache = Cache();
  for (const TrainOptions& options : PartialTrainings()) {
    Trainer whole = MakeTrainer(options);
    Trainer first = MakeTrainer(options);
    for (int i = 0; i < 2; ++i) first.Step(cache, alone_);
    first.Save(folder_ / "saved");
    Trainer second = MakeTrainer(options);
    second.Load(folder_ / "saved");
    for (int i = 0; i < 4; ++i) whole.Step(cache, alone_);
    for (int i = 0; i < 2; ++i) second.Step(cache, alone_);
    EXPECT_TRUE(SameBits(whole, second));
    std::filesystem::remove_all(folder_ / "saved");
  }
}

TEST_F(TrainerTest, AWordThatNamesNothingIsRefused) {
  TrainOptions options = QuickTraining();
  options.trained = {"self_attn", "attn1"};
  testing::ExpectThrowsWith<ConfigError>([&] { MakeTrainer(options); },
                                         {"train.trained is \"attn1\""});
}

TEST_F(TrainerTest, TheNumberOfWorkersChangesNothing) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.batch_size = 8;
  options.num_workers = 1;
  Trainer one = MakeTrainer(options);
  for (int i = 0; i < 3; ++i) one.Step(cache, alone_);
  for (const int workers : {2, 3}) {
    options.num_workers = workers;
    Trainer several = MakeTrainer(options);
    for (int i = 0; i < 3; ++i) several.Step(cache, alone_);
    EXPECT_TRUE(SameBits(one, several)) << workers << " workers";
  }
}

// Two ranks at the same global batch make the step that one makes alone, to rounding: they group
// its samples differently. Both have the same bits.
TEST_F(TrainerTest, TwoRanksTakeTheStepOfOne) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.batch_size = 5;
  options.clip_norm = 0;
  Trainer alone = MakeTrainer(options);
  const StepReport expected = alone.Step(cache, alone_);
  std::vector<Trainer> ranks;
  for (int rank = 0; rank < 2; ++rank) ranks.push_back(MakeTrainer(options));
  const std::vector<StepReport> reports = StepTogether(ranks, cache);
  EXPECT_TRUE(SameBits(ranks[0], ranks[1]));
  for (const StepReport& report : reports) {
    EXPECT_NEAR(report.loss, expected.loss, 1e-5 * expected.loss);
    EXPECT_NEAR(report.grad_norm, expected.grad_norm, 1e-4 * expected.grad_norm);
  }
}

// A sample of not a number: its step is left out and the next one taken; for ever is an error.
TEST_F(TrainerTest, StepsThatAreNotFiniteAreLeftOut) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.max_lost_steps = 2;
  Trainer trainer = MakeTrainer(options);
  Trainer healthy = MakeTrainer(options);
  healthy.Step(cache, alone_);
  trainer.Step(cache, alone_);
  at::Tensor bias = trainer.weights().at("head.head.bias");  // shared with the trainer
  const at::Tensor kept = bias.clone();
  bias.fill_(NAN);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(trainer.Step(cache, alone_).is_lost);
    healthy.Step(cache, alone_);
  }
  testing::ExpectThrowsWith<InputError>([&] { trainer.Step(cache, alone_); },
                                        {"gradient of step 4", "2 steps before", "max_lost_steps"});
  bias.copy_(kept);
  EXPECT_FALSE(trainer.Step(cache, alone_).is_lost);
  EXPECT_EQ(trainer.train_step(), 5);
  for (const auto& [name, weight] : trainer.weights())
    EXPECT_TRUE(weight.isfinite().all().item<bool>()) << name;
  EXPECT_FALSE(SameBits(trainer, healthy));
}

// Of a clip whose latents hold one number that is none (a cache of another program): its steps are
// left out, and it is the one that is named.
TEST_F(TrainerTest, TheClipThatIsNotFiniteIsNamed) {
  const ClipEncoder encoder{autoencoder_.get(), &text_, SmallDit(), {}, testing::kTrainerFrames};
  const auto make = [&](int64_t item) {
    CachedClip clip{encoder.Encode(clip_), clip_};
    clip.origin.episode = "reach/episode" + std::to_string(item);
    if (item == 1) clip.encoded.latents[0][1][0][0][0][0] = NAN;
    return std::vector<CachedClip>{std::move(clip)};
  };
  BuildLatentCache(folder_ / "bad",
                   {.key = "bad", .num_items = 3, .start_worker = [&] { return make; }});
  const LatentCache cache = LatentCache::Open(folder_ / "bad");
  TrainOptions options = QuickTraining();
  options.batch_size = 1;
  options.mix = {{"i2a", 1}};
  options.max_lost_steps = 0;
  Trainer trainer = MakeTrainer(options);
  while (PlanStep(options, kTrainerSeed, trainer.train_step(), {3}).draws[0].clip != 1)
    EXPECT_FALSE(trainer.Step(cache, alone_).is_lost);
  testing::ExpectThrowsWith<InputError>([&] { trainer.Step(cache, alone_); },
                                        {"the loss itself is not of reach/episode1 (i2a))"});
  options.mix = {{"i2v", 1}};  // which does not read it
  Trainer imagining = MakeTrainer(options);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(imagining.Step(cache, alone_).is_lost);
  // In a batch of all three the others are not suspected.
  std::string warning;
  SetLogSink([&](LogLevel, const std::string& message) { warning = message; });
  options.mix = {{"i2a", 1}};
  options.batch_size = 3;
  options.max_lost_steps = 1;
  EXPECT_TRUE(MakeTrainer(options).Step(cache, alone_).is_lost);
  SetLogSink({});
  EXPECT_THAT(warning, ::testing::EndsWith("is not of reach/episode1 (i2a)"));
}

// A batch of one: the second rank has nothing to do, and the same weights after it.
TEST_F(TrainerTest, ARankWithoutASampleStaysInStep) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.batch_size = 1;
  Trainer alone = MakeTrainer(options);
  const StepReport expected = alone.Step(cache, alone_);
  std::vector<Trainer> ranks;
  for (int rank = 0; rank < 2; ++rank) ranks.push_back(MakeTrainer(options));
  const std::vector<StepReport> reports = StepTogether(ranks, cache);
  EXPECT_TRUE(SameBits(ranks[0], ranks[1]));
  for (const StepReport& report : reports) EXPECT_EQ(report.loss, expected.loss);
}

// A weight of the level multiplies the sample's loss, and nothing else is changed by it.
TEST_F(TrainerTest, TheBellWeighsTheSamples) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.batch_size = 1;
  options.timesteps = TimestepDraw::kReleased;
  options.shift = 5;
  const double plain = MakeTrainer(options).Step(cache, alone_).loss;
  options.loss_weight = LossWeight::kBell;
  const double weighed = MakeTrainer(options).Step(cache, alone_).loss;
  const double weight = PlanStep(options, kTrainerSeed, 0, {cache.size()}).draws[0].noise.weight;
  EXPECT_NEAR(weighed, weight * plain, 1e-6 * plain);
  EXPECT_NE(weight, 1);
}

TEST_F(TrainerTest, AnotherSeedDoesNotGoOnWithTheRun) {
  Trainer trainer = MakeTrainer(QuickTraining());
  trainer.Save(folder_ / "saved");
  Trainer other({SmallDit(), InitialDitWeights(SmallDit(), Rng(2)), text_.Encode("")},
                QuickTraining(), 7);
  testing::ExpectThrowsWith<ConfigError>([&] { other.Load(folder_ / "saved"); },
                                         {"--seed is 7", "add --seed 1"});
}

TEST_F(TrainerTest, ADamagedStateIsNamed) {
  Trainer trainer = MakeTrainer(QuickTraining());
  trainer.Save(folder_ / "saved");
  for (const char* state : {"", "[]", "{\"seed\":1}", "{\"train_step\":\"x\",\"seed\":1}",
                            "{\"train_step\":-5,\"seed\":1}", "{\"train_step\":2.5,\"seed\":1}"}) {
    WriteFileAtomic(folder_ / "saved/state.json", state);
    testing::ExpectThrowsWith<FormatError>([&] { trainer.Load(folder_ / "saved"); },
                                           {"state.json is damaged", "train_step"});
  }
}

}  // namespace
}  // namespace aim
