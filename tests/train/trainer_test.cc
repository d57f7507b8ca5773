#include "aim/train/trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aim/base/summary.h"
#include "aim/diffusion/generate.h"
#include "aim/metrics/clip_quality.h"
#include "aim/model/pca_autoencoder.h"
#include "aim/text/hashed_words.h"
#include "support/scene.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

constexpr int kSize = 64;
constexpr int kFrames = 9;

// A tool that moves and turns in front of two cameras; the pictures show nothing but a gradient.
Clip MakeClip(uint64_t seed) {
  Rng rng(seed);
  Clip clip;
  clip.height = clip.width = kSize;
  clip.fps = 8;
  clip.prompt = "reach the red target";
  const ToolPose start = testing::RandomToolPose(rng);
  for (int frame = 0; frame < kFrames; ++frame) {
    ToolPose pose = start;
    pose.world_from_tool.translation += frame * Eigen::Vector3d(0.01, -0.008, 0.005);
    pose.world_from_tool.rotation =
        pose.world_from_tool.rotation * ExpRotation({0.02 * frame, 0, 0.03 * frame});
    pose.gripper_open = frame < 5 ? 1.0 : 0.0;
    clip.poses.push_back(pose);
  }
  for (const Camera& camera : testing::MakeCameraRig({.num_views = 2, .size_px = kSize}, rng)) {
    ClipView view;
    view.camera.frames = {camera};
    view.num_frames = kFrames;
    for (int i = 0; i < kFrames * kSize * kSize; ++i) {
      for (int c = 0; c < 3; ++c) view.rgb.push_back(static_cast<uint8_t>((i / 7 + 40 * c) % 256));
    }
    clip.views.push_back(view);
  }
  return clip;
}

DitOptions SmallDit() {
  DitOptions options;
  options.in_channels = options.out_channels = 16;
  options.dim = 64;
  options.ffn_dim = 128;
  options.num_heads = 2;
  options.num_layers = 2;
  options.freq_dim = 32;
  options.text_dim = 16;
  options.camera.mode = CameraMode::kRayToken;
  options.timestep_mode = TimestepMode::kGivenZero;
  options.prediction = Prediction::kClean;
  options.frame_positions = FramePositions::kSegment;
  options.segment_embeddings = 4;
  return options;
}

TrainOptions QuickTraining() {
  TrainOptions options;
  options.batch_size = 4;
  options.microbatch = 2;
  options.dtype = "f32";
  options.lr = 3e-3;
  options.warmup_steps = 10;
  options.decay_steps = 100;
  options.ema = 0.9;
  options.mix = {.i2a = 0.5, .i2va = 0.2, .v2a = 0.1, .a2v = 0.1, .i2v = 0.1};
  return options;
}

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() : text_({.dim = 16, .length = 8}) {
    PcaFitter fitter({.channels = 16, .block_px = 8});
    clip_ = MakeClip(4);
    for (const ClipView& view : clip_.views) {
      fitter.AddClip(VideoTensor(view, kSize, kSize, kFrames).unsqueeze(0), ContentKind::kVideo);
      fitter.AddClip(ActionTensor(clip_.poses, view.camera, {}).unsqueeze(0), ContentKind::kAction);
    }
    autoencoder_ = std::make_unique<PcaAutoencoder>(fitter.Solve());
    const ClipEncoder encoder{autoencoder_.get(), &text_, SmallDit(), {}, kFrames};
    BuildLatentCache(
        folder_.path() / "cache", "key", 3, 2,
        [&](int64_t item) {
          return std::vector<EncodedClip>{
              encoder.Encode(item == 0 ? clip_ : MakeClip(4 + static_cast<uint64_t>(item)))};
        },
        [](int64_t) {});
  }

  Trainer MakeTrainer(const TrainOptions& options) const {
    return Trainer(SmallDit(), options, 1, InitialDitWeights(SmallDit(), Rng(2)), text_.Encode(""));
  }
  LatentCache Cache() const { return LatentCache::Open(folder_.path() / "cache", "key"); }

  static bool SameBits(const Trainer& a, const Trainer& b) {
    for (const auto& [name, weight] : a.weights()) {
      if (!at::equal(weight, b.weights().at(name))) return false;
      if (!at::equal(a.averaged_weights().at(name), b.averaged_weights().at(name))) return false;
    }
    return true;
  }

  testing::TemporaryFolder folder_;
  Clip clip_;
  HashedWords text_;
  std::unique_ptr<PcaAutoencoder> autoencoder_;
};

TEST_F(TrainerTest, OneClipIsLearntToMillimetres) {
  const ClipEncoder encoder{autoencoder_.get(), &text_, SmallDit(), {}, kFrames};
  const std::filesystem::path dir = folder_.path() / "one";
  BuildLatentCache(
      dir, "one", 1, 1, [&](int64_t) { return std::vector<EncodedClip>{encoder.Encode(clip_)}; },
      [](int64_t) {});
  const LatentCache cache = LatentCache::Open(dir, "one");
  TrainOptions options = QuickTraining();
  options.mix = {.i2a = 1, .i2va = 0, .v2a = 0, .a2v = 0, .i2v = 0};
  options.steps = 400;
  options.shift = 30;
  Trainer trainer = MakeTrainer(options);
  while (trainer.train_step() < options.steps) trainer.Step(cache);

  const Dit dit{SmallDit(), trainer.averaged_weights(), at::kFloat};
  GenerateOptions generate;
  generate.sampler.sampling = {.steps = 2, .guidance = 1.0, .shift = 30.0};
  Clip known = clip_;  // what a policy sees: first pictures, first pose
  for (ClipView& view : known.views) view.num_frames = 1;
  known.poses.resize(1);
  const auto generated = Generate({&dit, autoencoder_.get(), &text_, {}, kFrames}, FindMode("i2a"),
                                  {known}, generate, Rng(9));
  PoseErrors errors;
  errors.Add(generated[0].poses, clip_.poses);
  EXPECT_EQ(errors.not_decodable, 0);
  EXPECT_LT(Median(errors.position_mm), 5.0);
  EXPECT_LT(Median(errors.rotation_deg), 3.0);
  EXPECT_EQ(errors.gripper_right, kFrames - 1);
}

TEST_F(TrainerTest, ResumingGivesTheSameBits) {
  const LatentCache cache = Cache();
  for (const char* optimizer : {"adamw", "muon"}) {
    TrainOptions options = QuickTraining();
    options.optimizer = optimizer;
    Trainer whole = MakeTrainer(options);
    Trainer first = MakeTrainer(options);
    for (int i = 0; i < 3; ++i) first.Step(cache);
    first.Save(folder_.path() / optimizer);
    Trainer second = MakeTrainer(options);
    second.Load(folder_.path() / optimizer);
    for (int i = 0; i < 6; ++i) whole.Step(cache);
    for (int i = 0; i < 3; ++i) second.Step(cache);
    EXPECT_TRUE(SameBits(whole, second)) << optimizer;
    first.Step(cache);
    EXPECT_FALSE(SameBits(whole, first)) << optimizer;
  }
}

TEST_F(TrainerTest, TheNumberOfWorkersChangesNothing) {
  const LatentCache cache = Cache();
  TrainOptions options = QuickTraining();
  options.num_workers = 1;
  Trainer one = MakeTrainer(options);
  options.num_workers = 3;
  Trainer three = MakeTrainer(options);
  for (int i = 0; i < 3; ++i) {
    one.Step(cache);
    three.Step(cache);
  }
  EXPECT_TRUE(SameBits(one, three));
}

TEST(DrawBatchTest, AnEpochVisitsEveryClipOnce) {
  TrainOptions options;
  options.batch_size = 4;
  std::vector<int> visits(10);
  for (int64_t step = 0; step < 5; ++step) {
    for (const SampleDraw& draw : DrawBatch(options, 7, step, 10))
      ++visits[static_cast<size_t>(draw.clip)];
  }
  EXPECT_THAT(visits, ::testing::Each(2));
}

TEST(DrawBatchTest, ModesComeInTheirShares) {
  TrainOptions options;
  options.batch_size = 4000;
  options.mix = {.i2a = 0.5, .i2va = 0, .v2a = 0.25, .a2v = 0.25, .i2v = 0};
  std::map<std::string, int> counts;
  for (const SampleDraw& draw : DrawBatch(options, 7, 0, 100)) ++counts[draw.mode->name];
  EXPECT_EQ(counts.size(), 3U);
  EXPECT_NEAR(counts["i2a"], 2000, 150);
  EXPECT_NEAR(counts["v2a"], 1000, 120);
}

TEST(OptimizerTest, OrthogonalizeGivesSingularValuesNearOne) {
  at::manual_seed(1);
  for (const auto& shape : {std::vector<int64_t>{12, 40}, {40, 12}, {20, 20}}) {
    const at::Tensor values = at::linalg_svdvals(Orthogonalize(at::randn(shape), at::kFloat));
    EXPECT_LT(values.max().item<float>(), 1.3F);
    EXPECT_GT(values.mean().item<float>(), 0.6F);
  }
}

// One AdamW step on one number, by hand: m = 0.1 g, v = 0.01 g^2, corrected to g and g^2.
TEST(OptimizerTest, AdamStepByHand) {
  TrainOptions options;
  options.clip_norm = 0;
  options.weight_decay = 0.5;
  WeightMap weights = {{"w", at::full({1, 1}, 2.0f)}};
  std::vector<at::Tensor> grads = {at::full({1, 1}, 3.0f)};
  Optimizer optimizer(options, weights, at::kFloat);
  EXPECT_NEAR(optimizer.Step(weights, grads, 0.1), 3.0, 1e-6);
  EXPECT_NEAR(weights.at("w").item<float>(), 2.0 * (1 - 0.1 * 0.5) - 0.1, 1e-5);
}

TEST(LearningRateTest, RisesStaysAndFalls) {
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

}  // namespace
}  // namespace aim
