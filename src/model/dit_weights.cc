#include "aim/model/dit_weights.h"

#include <ATen/ATen.h>

#include <cmath>

namespace aim {
namespace {

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

at::Tensor NormalTensor(const std::vector<int64_t>& shape, double deviation, Rng rng) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    values[i] = static_cast<float>(deviation * rng.Normal());
  return tensor;
}

// Residual branches and the prediction start at zero: the network begins as the identity.
bool StartsAtZero(const std::string& name) {
  return EndsWith(name, "_attn.o.weight") || EndsWith(name, "ffn.2.weight") ||
         name == "head.head.weight" || EndsWith(name, "cam_encoder.2.weight");
}

at::Tensor InitialTensor(const std::string& name, const std::vector<int64_t>& shape,
                         const Rng& rng) {
  if (EndsWith(name, "norm_q.weight") || EndsWith(name, "norm_k.weight") ||
      EndsWith(name, "norm3.weight")) {
    return at::ones(shape, at::kFloat);
  }
  if (name.rfind("blocks.", 0) == 0 && EndsWith(name, ".modulation")) {
    at::Tensor modulation = at::zeros(shape, at::kFloat);
    modulation.select(1, 2).fill_(1.0);  // gate of the self-attention
    modulation.select(1, 5).fill_(1.0);  // gate of the feed-forward network
    return modulation;
  }
  if (EndsWith(name, "projector.weight")) return at::eye(shape[0], at::kFloat);
  if (EndsWith(name, ".bias") || name == "head.modulation" || StartsAtZero(name))
    return at::zeros(shape, at::kFloat);
  double fan_in = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
  const bool is_small = name == "segment_embedding.weight" || name.rfind("time_projection", 0) == 0;
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
  for (const auto& [name, shape] : DitWeightShapes(options))
    weights[name] = InitialTensor(name, shape, rng);
  return weights;
}

}  // namespace aim
