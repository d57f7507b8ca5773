#include "aim/bundle/options_of_weights.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

class Shapes {
 public:
  Shapes(const WeightMap& weights, const std::string& where) : weights_(weights), where_(where) {}

  bool Has(const std::string& name) const { return weights_.contains(name); }

  // Extent `axis` of a weight that has `rank` axes.
  int Size(const std::string& name, int64_t rank, int64_t axis) const {
    const auto found = weights_.find(name);
    if (found != weights_.end() && found->second.dim() == rank)
      return static_cast<int>(found->second.size(axis));
    throw InputError({.where = where_ + ": " + name,
                      .got = found == weights_.end() ? "missing" : ShapeText(found->second.sizes()),
                      .expected = "a weight with " + std::to_string(rank) + " axes",
                      .fix = "see what the file holds with aim-model inspect"});
  }

  // How many of prefix0suffix, prefix1suffix, ... there are.
  int Count(const std::string& prefix, const std::string& suffix) const {
    int count = 0;
    while (Has(prefix + std::to_string(count) + suffix)) ++count;
    return count;
  }

 private:
  const WeightMap& weights_;
  std::string where_;
};

// Stages of the encoder, one after another: residual blocks, then what makes the picture smaller.
class VaeStageOptions {
 public:
  VaeStageOptions(const Shapes& shapes, WanVaeOptions& options)
      : shapes_(shapes), options_(options) {
    options_.dim_mult.clear();
    options_.temporal_downsample.clear();
  }

  // `name` is one member of a stage; false if there is no such member.
  bool Add(const std::string& name) {
    if (shapes_.Has(name + ".residual.2.weight")) {
      if (blocks_ == 0) {
        const int channels = shapes_.Size(name + ".residual.2.weight", 5, 0);
        options_.dim_mult.push_back(channels / options_.base_dim);
      }
      options_.num_res_blocks = ++blocks_;
      return true;
    }
    if (!shapes_.Has(name + ".resample.1.weight")) return false;
    options_.temporal_downsample.push_back(shapes_.Has(name + ".time_conv.weight"));
    blocks_ = 0;
    return true;
  }

  void EndStage() { blocks_ = 0; }

 private:
  const Shapes& shapes_;
  WanVaeOptions& options_;
  int blocks_ = 0;  // of the stage so far
};

}  // namespace

DitOptions DitOptionsOf(const WeightMap& weights, const std::string& where, int num_heads) {
  const Shapes shapes(weights, where);
  DitOptions options;
  options.dim = shapes.Size("patch_embedding.weight", 5, 0);
  options.in_channels = shapes.Size("patch_embedding.weight", 5, 1);
  options.patch = shapes.Size("patch_embedding.weight", 5, 3);
  options.out_channels = shapes.Size("head.head.weight", 2, 0) / (options.patch * options.patch);
  options.ffn_dim = shapes.Size("blocks.0.ffn.0.weight", 2, 0);
  options.freq_dim = shapes.Size("time_embedding.0.weight", 2, 1);
  options.text_dim = shapes.Size("text_embedding.0.weight", 2, 1);
  options.num_layers = shapes.Count("blocks.", ".ffn.0.weight");
  options.num_heads = num_heads > 0 ? num_heads : std::max(1, options.dim / 128);
  options.prediction = Prediction::kVelocity;
  options.timestep_mode = TimestepMode::kScalar;
  options.frame_positions = FramePositions::kCanvas;
  options.camera.mode = CameraMode::kNone;
  if (shapes.Has("blocks.0.cam_encoder.2.weight")) {
    options.camera.mode = CameraMode::kPooledLatent;
    options.camera.features = shapes.Size("blocks.0.cam_encoder.2.weight", 2, 1);
    options.camera.pool = 16;
    options.camera.projector = shapes.Has("blocks.0.projector.weight");
    options.camera.frame = CameraFrame::kRelative;
    options.camera.axes = CameraAxes::kRlbench;
  }
  return options;
}

WanVaeOptions WanVaeOptionsOf(const WeightMap& weights, const std::string& where) {
  const Shapes shapes(weights, where);
  WanVaeOptions options;
  options.z_dim = shapes.Size("conv2.weight", 5, 0);
  const WanVaeOptions released = options.z_dim == 16 ? Wan21VaeOptions() : WanVaeOptions();
  const bool is_released = options.z_dim == released.z_dim;
  options.latents_mean = is_released ? released.latents_mean : std::vector<double>();
  options.latents_std = is_released ? released.latents_std : std::vector<double>();
  options.base_dim = shapes.Size("encoder.conv1.weight", 5, 0);
  options.patch_size =
      static_cast<int>(std::lround(std::sqrt(shapes.Size("encoder.conv1.weight", 5, 1) / 3.0)));
  options.is_residual = shapes.Has("encoder.downsamples.0.downsamples.0.residual.2.weight");
  VaeStageOptions stages(shapes, options);
  const std::string prefix = "encoder.downsamples.";
  if (options.is_residual) {
    const int count = shapes.Count(prefix, ".downsamples.0.residual.2.weight");
    for (int stage = 0; stage < count; ++stage, stages.EndStage()) {
      const std::string members = prefix + std::to_string(stage) + ".downsamples.";
      for (int i = 0; stages.Add(members + std::to_string(i)); ++i) {
      }
    }
  } else {
    for (int i = 0; stages.Add(prefix + std::to_string(i)); ++i) {
    }
  }
  const int narrowest = options.dim_mult.empty() ? 1 : options.dim_mult.front();
  options.decoder_base_dim = shapes.Size("decoder.head.2.weight", 5, 1) / std::max(1, narrowest);
  return options;
}

Umt5Options Umt5OptionsOf(const WeightMap& weights, const std::string& where) {
  const Shapes shapes(weights, where);
  Umt5Options options;
  options.vocab_size = shapes.Size("token_embedding.weight", 2, 0);
  options.dim = shapes.Size("token_embedding.weight", 2, 1);
  options.num_layers = shapes.Count("blocks.", ".attn.q.weight");
  options.num_buckets = shapes.Size("blocks.0.pos_embedding.embedding.weight", 2, 0);
  options.num_heads = shapes.Size("blocks.0.pos_embedding.embedding.weight", 2, 1);
  options.head_dim = shapes.Size("blocks.0.attn.q.weight", 2, 0) / std::max(1, options.num_heads);
  options.ffn_dim = shapes.Size("blocks.0.ffn.gate.0.weight", 2, 0);
  return options;
}

}  // namespace aim
