#include "model/wan_vae_layers.h"

namespace aim {
namespace {

using Kind = WanVaeLayer::Kind;

void AddMiddle(const std::string& name, int64_t dim, std::vector<WanVaeLayer>& layers) {
  layers.push_back({.kind = Kind::kResidual, .name = name + ".0", .in = dim, .out = dim});
  layers.push_back({.kind = Kind::kAttention, .name = name + ".1", .in = dim, .out = dim});
  layers.push_back({.kind = Kind::kResidual, .name = name + ".2", .in = dim, .out = dim});
}

// Layers of the stages are numbered through (2.1), or within each stage (2.2).
class LayerNames {
 public:
  LayerNames(std::string prefix, bool nested) : prefix_(std::move(prefix)), nested_(nested) {}

  void BeginStage(size_t stage) {
    if (!nested_) return;
    head_ = std::to_string(stage) + prefix_.substr(prefix_.find('.'));
    next_ = 0;
  }
  std::string Next() {
    return prefix_ + "." + (nested_ ? head_ + "." : "") + std::to_string(next_++);
  }

 private:
  std::string prefix_;
  bool nested_;
  std::string head_;
  int next_ = 0;
};

}  // namespace

std::vector<WanVaeLayer> EncoderLayers(const WanVaeOptions& options) {
  const size_t num_stages = options.dim_mult.size();
  LayerNames names("encoder.downsamples", options.is_residual);
  std::vector<WanVaeLayer> layers;
  int64_t dim = options.base_dim;
  layers.push_back(
      {.kind = Kind::kConv, .name = "encoder.conv1", .in = options.pixel_channels(), .out = dim});
  for (size_t stage = 0; stage < num_stages; ++stage) {
    const bool down = stage + 1 < num_stages;
    const bool temporal = down && options.temporal_downsample[stage];
    const int64_t in = dim;
    const int64_t out = int64_t{options.base_dim} * options.dim_mult[stage];
    names.BeginStage(stage);
    if (options.is_residual) layers.push_back({.kind = Kind::kBranch, .name = "", .in = in});
    for (int block = 0; block < options.num_res_blocks; ++block) {
      layers.push_back({.kind = Kind::kResidual, .name = names.Next(), .in = dim, .out = out});
      dim = out;
    }
    if (down) {
      layers.push_back(
          {.kind = Kind::kDown, .name = names.Next(), .in = out, .out = out, .temporal = temporal});
    }
    if (options.is_residual) {
      layers.push_back({.kind = Kind::kAverage,
                        .name = "",
                        .in = in,
                        .out = out,
                        .temporal = temporal,
                        .spatial = down});
    }
  }
  AddMiddle("encoder.middle", dim, layers);
  layers.push_back(
      {.kind = Kind::kHead, .name = "encoder.head", .in = dim, .out = 2 * int64_t{options.z_dim}});
  return layers;
}

std::vector<WanVaeLayer> DecoderLayers(const WanVaeOptions& options) {
  const size_t num_stages = options.dim_mult.size();
  LayerNames names("decoder.upsamples", options.is_residual);
  std::vector<WanVaeLayer> layers;
  int64_t dim = int64_t{options.decoder_base_dim} * options.dim_mult.back();
  layers.push_back({.kind = Kind::kConv, .name = "decoder.conv1", .in = options.z_dim, .out = dim});
  AddMiddle("decoder.middle", dim, layers);
  for (size_t stage = 0; stage < num_stages; ++stage) {
    const bool up = stage + 1 < num_stages;
    const bool temporal = up && options.temporal_downsample[num_stages - 2 - stage];
    const bool shortcut = up && options.is_residual;
    const int64_t in = dim;
    const int64_t out =
        int64_t{options.decoder_base_dim} * options.dim_mult[num_stages - 1 - stage];
    names.BeginStage(stage);
    if (shortcut) layers.push_back({.kind = Kind::kBranch, .name = "", .in = in});
    for (int block = 0; block <= options.num_res_blocks; ++block) {
      layers.push_back({.kind = Kind::kResidual, .name = names.Next(), .in = dim, .out = out});
      dim = out;
    }
    if (up) {
      dim = options.is_residual ? out : out / 2;
      layers.push_back(
          {.kind = Kind::kUp, .name = names.Next(), .in = out, .out = dim, .temporal = temporal});
    }
    if (shortcut) {
      layers.push_back(
          {.kind = Kind::kRepeat, .name = "", .in = in, .out = out, .temporal = temporal});
    }
  }
  layers.push_back(
      {.kind = Kind::kHead, .name = "decoder.head", .in = dim, .out = options.pixel_channels()});
  return layers;
}

void AddLayerShapes(const WanVaeLayer& layer, ShapeMap& shapes) {
  const int64_t in = layer.in;
  const int64_t out = layer.out;
  const auto add = [&](const std::string& name, std::vector<int64_t> weight) {
    shapes[layer.name + name + ".bias"] = {weight[0]};
    shapes[layer.name + name + ".weight"] = std::move(weight);
  };
  switch (layer.kind) {
    case Kind::kConv:
      add("", {out, in, 3, 3, 3});
      break;
    case Kind::kResidual:
      shapes[layer.name + ".residual.0.gamma"] = {in, 1, 1, 1};
      add(".residual.2", {out, in, 3, 3, 3});
      shapes[layer.name + ".residual.3.gamma"] = {out, 1, 1, 1};
      add(".residual.6", {out, out, 3, 3, 3});
      if (in != out) add(".shortcut", {out, in, 1, 1, 1});
      break;
    case Kind::kAttention:
      shapes[layer.name + ".norm.gamma"] = {in, 1, 1};
      add(".to_qkv", {3 * in, in, 1, 1});
      add(".proj", {in, in, 1, 1});
      break;
    case Kind::kDown:
      add(".resample.1", {out, in, 3, 3});
      if (layer.temporal) add(".time_conv", {in, in, 3, 1, 1});
      break;
    case Kind::kUp:
      add(".resample.1", {out, in, 3, 3});
      if (layer.temporal) add(".time_conv", {2 * in, in, 3, 1, 1});
      break;
    case Kind::kHead:
      shapes[layer.name + ".0.gamma"] = {in, 1, 1, 1};
      add(".2", {out, in, 3, 3, 3});
      break;
    case Kind::kBranch:
    case Kind::kAverage:
    case Kind::kRepeat:
      break;
  }
}

}  // namespace aim
