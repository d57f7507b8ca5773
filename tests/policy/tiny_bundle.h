// A bundle of random weights and synthetic clips, small enough to generate in milliseconds.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/bundle/bundle.h"
#include "aim/diffusion/clip_encoding.h"
#include "support/scene.h"

namespace aim::testing {

inline constexpr int kTinySize = 32;
inline constexpr int kTinyFrames = 9;

// A tool moving through the workspace before two fixed cameras; pictures are a smooth pattern that
// moves with it.
inline Clip MakeSyntheticClip(int num_frames, uint64_t seed, int size_px = kTinySize) {
  Rng rng(seed);
  Clip clip;
  clip.height = size_px;
  clip.width = size_px;
  clip.fps = 8;
  clip.prompt = "reach the red ball";
  const ToolPose from = RandomToolPose(rng);
  const ToolPose to = RandomToolPose(rng);
  for (int frame = 0; frame < num_frames; ++frame) {
    const double fraction = frame / std::max(1.0, num_frames - 1.0);
    clip.poses.push_back({Interpolate(from.world_from_tool, to.world_from_tool, fraction),
                          frame < num_frames / 2 ? from.gripper_open : to.gripper_open});
  }
  const std::vector<Camera> rig = MakeCameraRig({.num_views = 2, .size_px = size_px}, rng);
  for (size_t v = 0; v < rig.size(); ++v) {
    ClipView view;
    view.camera = {"view" + std::to_string(v), {rig[v]}};
    view.num_frames = num_frames;
    for (int frame = 0; frame < num_frames; ++frame) {
      const Eigen::Vector2d uv =
          Project(rig[v], clip.poses[static_cast<size_t>(frame)].world_from_tool.translation)->uv;
      for (int row = 0; row < size_px; ++row) {
        for (int column = 0; column < size_px; ++column) {
          const double distance = (Eigen::Vector2d(column, row) - uv).norm() / size_px;
          for (int c = 0; c < 3; ++c) {
            const double value = 0.5 + 0.5 * std::cos((4.0 + c) * distance + 0.1 * row);
            view.rgb.push_back(static_cast<uint8_t>(std::lround(255 * value)));
          }
        }
      }
    }
    clip.views.push_back(std::move(view));
  }
  return clip;
}

inline BundleConfig TinyConfig() {
  BundleConfig config;
  config.trained_modes = {"i2va", "i2a", "v2a", "a2v", "i2v"};
  config.image_height = kTinySize;
  config.image_width = kTinySize;
  config.num_frames = kTinyFrames;
  config.dit.in_channels = 24;
  config.dit.out_channels = 24;
  config.dit.dim = 24;
  config.dit.ffn_dim = 32;
  config.dit.num_heads = 2;
  config.dit.num_layers = 2;
  config.dit.freq_dim = 16;
  config.dit.text_dim = 8;
  config.dit.camera = {.mode = CameraMode::kRayToken, .features = 24, .projector = false};
  config.dit.timestep_mode = TimestepMode::kGivenZero;
  config.dit.prediction = Prediction::kClean;
  config.dit.frame_positions = FramePositions::kSegment;
  config.dit.segment_embeddings = 4;
  config.autoencoder.pca = {.channels = 24, .block_px = 4};
  config.text.hashed_words = {.dim = 8, .length = 6};
  return config;
}

// Writes a bundle that makes something of each mode: an autoencoder fitted on synthetic clips, and
// a network of random weights.
inline void WriteTinyBundle(const std::filesystem::path& path,
                            const BundleConfig& config = TinyConfig()) {
  PcaFitter fitter(config.autoencoder.pca);
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Clip clip = MakeSyntheticClip(config.num_frames, seed);
    for (const ClipView& view : clip.views) {
      fitter.AddClip(VideoTensor(view, clip.height, clip.width, config.num_frames).unsqueeze(0),
                     ContentKind::kVideo);
      fitter.AddClip(ActionTensor(clip.poses, view.camera, config.action_image).unsqueeze(0),
                     ContentKind::kAction);
    }
  }
  Rng rng(11);
  WeightMap weights = InitialDitWeights(config.dit, rng);
  // Some layers start at zero; random here, so that what is generated depends on every input.
  for (auto& [name, weight] : weights) {
    float* values = weight.data_ptr<float>();
    for (int64_t i = 0; i < weight.numel(); ++i) {
      values[i] += 0.1f * static_cast<float>(rng.Normal());
    }
  }
  WriteBundle(path, config, weights, fitter.Solve().weights(), at::kFloat);
}

}  // namespace aim::testing
