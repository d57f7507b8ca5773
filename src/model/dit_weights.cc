#include "aim/model/dit_weights.h"

#include <ATen/ATen.h>

#include <cmath>

namespace aim {
namespace {

at::Tensor NormalTensor(const std::vector<int64_t>& shape, double deviation, Rng rng) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    values[i] = static_cast<float>(deviation * rng.Normal());
  return tensor;
}

// Residual branches and the prediction start at zero: the network begins as the identity.
bool StartsAtZero(const std::string& name) {
  return name.ends_with("_attn.o.weight") || name.ends_with("ffn.2.weight") ||
         name == "head.head.weight" || name.ends_with("cam_encoder.2.weight");
}

at::Tensor InitialTensor(const std::string& name, const std::vector<int64_t>& shape,
                         const Rng& rng) {
  if (name.ends_with("norm_q.weight") || name.ends_with("norm_k.weight") ||
      name.ends_with("norm3.weight")) {
    return at::ones(shape, at::kFloat);
  }
  if (name.starts_with("blocks.") && name.ends_with(".modulation")) {
    at::Tensor modulation = at::zeros(shape, at::kFloat);
    modulation.select(1, 2).fill_(1.0);  // gate of the self-attention
    modulation.select(1, 5).fill_(1.0);  // gate of the feed-forward network
    return modulation;
  }
  if (name.ends_with("projector.weight")) return at::eye(shape[0], at::kFloat);
  if (name.ends_with(".bias") || name == "head.modulation" || StartsAtZero(name))
    return at::zeros(shape, at::kFloat);
  double fan_in = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
  const bool is_small = name == "segment_embedding.weight" || name.starts_with("time_projection");
  return NormalTensor(shape, is_small ? 0.02 : 1.0 / std::sqrt(fan_in), rng.Derive(0, name));
}

}  // namespace

ShapeMap DitWeightShapes(const DitOptions& options) {
  ShapeMap shapes;
  DitWeights none;
  DitWeights::ForEach(none, options,
                      [&](const std::string& name, at::Tensor&, const std::vector<int64_t>& shape) {
                        shapes[name] = shape;
                      });
  return shapes;
}

DitWeights ResolveDitWeights(const DitOptions& options, const WeightMap& named,
                             const std::string& where) {
  CheckWeights(named, DitWeightShapes(options), where);
  DitWeights weights;
  DitWeights::ForEach(
      weights, options,
      [&](const std::string& name, at::Tensor& weight, const auto&) { weight = named.at(name); });
  return weights;
}

WeightMap NamedDitWeights(const DitOptions& options, const DitWeights& weights) {
  WeightMap named;
  DitWeights::ForEach(weights, options,
                      [&](const std::string& name, const at::Tensor& weight, const auto&) {
                        named[name] = weight;
                      });
  return named;
}

WeightMap InitialDitWeights(const DitOptions& options, const Rng& rng) {
  WeightMap weights;
  AddInitialWeights(options, rng, weights);
  return weights;
}

void AddInitialWeights(const DitOptions& options, const Rng& rng, WeightMap& weights) {
  for (const auto& [name, shape] : DitWeightShapes(options)) {
    if (!weights.contains(name)) weights[name] = InitialTensor(name, shape, rng);
  }
}

}  // namespace aim
