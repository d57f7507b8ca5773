// A network of seconds and the clips that it is trained on.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "aim/diffusion/generate.h"
#include "aim/model/pca_autoencoder.h"
#include "aim/text/hashed_words.h"
#include "aim/train/trainer.h"
#include "support/scene.h"
#include "support/temporary_folder.h"

namespace aim::testing {

inline constexpr int kTrainerSize = 64;
inline constexpr int kTrainerFrames = 9;
inline constexpr uint64_t kTrainerSeed = 1;

// A tool that moves and turns in front of two cameras; the pictures show nothing but a gradient.
inline Clip MakeClip(uint64_t seed) {
  Rng rng(seed);
  Clip clip;
  clip.height = clip.width = kTrainerSize;
  clip.fps = 8;
  clip.prompt = "reach the red target";
  const ToolPose start = RandomToolPose(rng);
  for (int frame = 0; frame < kTrainerFrames; ++frame) {
    ToolPose pose = start;
    pose.world_from_tool.translation += frame * Eigen::Vector3d(0.01, -0.008, 0.005);
    pose.world_from_tool.rotation =
        pose.world_from_tool.rotation * ExpRotation({0.02 * frame, 0, 0.03 * frame});
    pose.gripper_open = frame < 5 ? 1.0 : 0.0;
    clip.poses.push_back(pose);
  }
  for (const Camera& camera : MakeCameraRig({.num_views = 2, .size_px = kTrainerSize}, rng)) {
    ClipView view;
    view.camera.frames = {camera};
    view.num_frames = kTrainerFrames;
    for (int i = 0; i < kTrainerFrames * kTrainerSize * kTrainerSize; ++i) {
      for (int c = 0; c < 3; ++c) view.rgb.push_back(static_cast<uint8_t>((i / 7 + 40 * c) % 256));
    }
    clip.views.push_back(view);
  }
  return clip;
}

inline DitOptions SmallDit() {
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

inline TrainOptions QuickTraining() {
  TrainOptions options;
  options.batch_size = 4;
  options.microbatch = 2;
  options.dtype = ComputeDtype::kF32;
  options.lr = 3e-3;
  options.warmup_steps = 10;
  options.decay_steps = 100;
  options.ema = 0.9;
  options.mix = {{"i2a", 0.5}, {"i2va", 0.2}, {"v2a", 0.1}, {"a2v", 0.1}, {"i2v", 0.1}};
  return options;
}

// The distance between two networks, as a share of the way that `expected` has come from `initial`.
inline double ShareOfTheWay(const WeightMap& found, const WeightMap& expected,
                            const WeightMap& initial) {
  double apart = 0, way = 0;
  for (const auto& [name, weight] : expected) {
    apart += (found.at(name).cpu() - weight).square().sum().item<double>();
    way += (weight - initial.at(name)).square().sum().item<double>();
  }
  return std::sqrt(apart / way);
}

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() : text_({.dim = 16, .length = 8}) {
    PcaFitter fitter({.channels = 16, .block_px = 8});
    clip_ = MakeClip(4);
    for (const ClipView& view : clip_.views) {
      fitter.AddClip(VideoTensor(view, kTrainerSize, kTrainerSize, kTrainerFrames).unsqueeze(0),
                     ContentKind::kVideo);
      fitter.AddClip(ActionTensor(clip_.poses, view.camera, {}).unsqueeze(0), ContentKind::kAction);
    }
    autoencoder_ = std::make_unique<PcaAutoencoder>(fitter.Solve());
    const ClipEncoder encoder{autoencoder_.get(), &text_, SmallDit(), {}, kTrainerFrames};
    const auto make = [&](int64_t item) {
      const Clip clip = item == 0 ? clip_ : MakeClip(4 + static_cast<uint64_t>(item));
      return std::vector<CachedClip>{{encoder.Encode(clip), clip}};
    };
    BuildLatentCache(
        folder_ / "cache",
        {.key = "key", .num_items = 3, .num_threads = 2, .start_worker = [&] { return make; }});
  }

  Trainer MakeTrainer(const TrainOptions& options, const RankPlace& place = {},
                      const TrainingDevice& device = {}) const {
    return Trainer({SmallDit(), InitialDitWeights(SmallDit(), Rng(2)), text_.Encode("")}, options,
                   kTrainerSeed, place, device);
  }
  LatentCache Cache() const { return LatentCache::Open(folder_ / "cache", "key"); }

  static bool SameBits(const Trainer& a, const Trainer& b) {
    for (const auto& [name, weight] : a.weights()) {
      if (!at::equal(weight, b.weights().at(name))) return false;
      if (!at::equal(a.averaged_weights().at(name), b.averaged_weights().at(name))) return false;
    }
    return true;
  }

  TemporaryFolder folder_;
  LocalComm alone_;
  Clip clip_;
  HashedWords text_;
  std::unique_ptr<PcaAutoencoder> autoencoder_;
};

}  // namespace aim::testing
