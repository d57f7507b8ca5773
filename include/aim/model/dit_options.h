// Sizes and choices of the Wan video diffusion transformer. The released 5 B model and the small
// one differ only in these values.
#pragma once

#include "aim/base/options.h"

namespace aim {

enum class CameraMode { kNone, kPooledLatent, kRayToken };
constexpr auto WordsOf(CameraMode) {
  using enum CameraMode;
  return WordTable<CameraMode, 3>{
      {{kNone, "none"}, {kPooledLatent, "pooled_latent"}, {kRayToken, "ray_token"}}};
}

enum class CameraFrame { kRelative, kAbsolute };
constexpr auto WordsOf(CameraFrame) {
  return WordTable<CameraFrame, 2>{
      {{CameraFrame::kRelative, "relative"}, {CameraFrame::kAbsolute, "absolute"}}};
}

enum class CameraAxes { kOpencv, kRlbench };
constexpr auto WordsOf(CameraAxes) {
  return WordTable<CameraAxes, 2>{
      {{CameraAxes::kOpencv, "opencv"}, {CameraAxes::kRlbench, "rlbench"}}};
}

// How the network is told where the cameras are.
struct CameraConditioningOptions {
  CameraMode mode = CameraMode::kNone;
  int features = 24;
  int pool = 16;
  bool projector = false;
  CameraFrame frame = CameraFrame::kRelative;
  CameraAxes axes = CameraAxes::kOpencv;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("mode", self.mode, Any{},
          "pooled_latent: one vector a latent frame from the VAE latents of the Plücker video "
          "(released); ray_token: the Plücker rays of each token");
    visit("features", self.features, Range{1, 1 << 20}, "numbers a camera vector has");
    visit("pool", self.pool, Range{1, 256},
          "pooled_latent: rows and columns that the latents are averaged to (released: 16)");
    visit("projector", self.projector, Any{}, "square matrix behind the self-attention (released)");
    visit("frame", self.frame, Any{},
          "rays are seen from the first camera of view 0 (trained) or from the world");
    visit("axes", self.axes, Any{},
          "axes of that first camera: x right, y down, or x left, y up (released)");
  }
};

// What the head's output means.
enum class Prediction { kVelocity, kClean };
constexpr auto WordsOf(Prediction) {
  return WordTable<Prediction, 2>{
      {{Prediction::kVelocity, "velocity"}, {Prediction::kClean, "clean"}}};
}

enum class TimestepMode { kScalar, kGivenZero };
constexpr auto WordsOf(TimestepMode) {
  return WordTable<TimestepMode, 2>{
      {{TimestepMode::kScalar, "scalar"}, {TimestepMode::kGivenZero, "given_zero"}}};
}

enum class FramePositions { kCanvas, kSegment };
constexpr auto WordsOf(FramePositions) {
  return WordTable<FramePositions, 2>{
      {{FramePositions::kCanvas, "canvas"}, {FramePositions::kSegment, "segment"}}};
}

// Defaults are those of the small model.
struct DitOptions {
  int in_channels = 64;
  int out_channels = 64;
  int dim = 256;
  int ffn_dim = 1024;
  int num_heads = 4;
  int num_layers = 6;
  int patch = 2;
  int freq_dim = 256;
  int text_dim = 64;
  double eps = 1e-6;
  CameraConditioningOptions camera;
  TimestepMode timestep_mode = TimestepMode::kScalar;
  Prediction prediction = Prediction::kVelocity;
  FramePositions frame_positions = FramePositions::kCanvas;
  int segment_embeddings = 0;

  int head_dim() const { return dim / num_heads; }

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("in_channels", self.in_channels, Range{1, 4096}, "latent channels read");
    visit("out_channels", self.out_channels, Range{1, 4096}, "latent channels predicted");
    visit("dim", self.dim, Range{6, 16384}, "width of the residual stream");
    visit("ffn_dim", self.ffn_dim, Range{1, 65536}, "width inside the feed-forward network");
    visit("num_heads", self.num_heads, Range{1, 256}, "attention heads; divides dim");
    visit("num_layers", self.num_layers, Range{1, 256}, "transformer blocks");
    visit("patch", self.patch, Range{1, 16}, "latent pixels a token has a side");
    visit("freq_dim", self.freq_dim, Range{2, 4096}, "width of the timestep's sinusoid");
    visit("text_dim", self.text_dim, Range{1, 65536}, "width of the text features");
    visit("eps", self.eps, Range{1e-12, 1e-2}, "added to variances in every norm");
    visit("camera", self.camera, Any{}, "");
    visit("timestep_mode", self.timestep_mode, Any{},
          "scalar: one timestep for all tokens (released); given_zero: 0 for given latents");
    visit("prediction", self.prediction, Any{}, "what the head's output means");
    visit("frame_positions", self.frame_positions, Any{},
          "RoPE frame index: running over the canvas (released) or restarting in each segment");
    visit("segment_embeddings", self.segment_embeddings, Range{0, 64},
          "learned vectors added to the tokens by segment; 0 = none (released)");
  }
  void Validate() const;  // throws ConfigError
};

}  // namespace aim
