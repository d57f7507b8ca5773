#include <ATen/ATen.h>

#include <cmath>

#include "aim/base/rng.h"
#include "aim/model/dit.h"

namespace aim {
namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;

void AddLinear(Shapes& shapes, const std::string& name, int64_t out, int64_t in) {
  shapes[name + ".weight"] = {out, in};
  shapes[name + ".bias"] = {out};
}

void AddAttention(Shapes& shapes, const std::string& name, int64_t dim) {
  for (const char* part : {"q", "k", "v", "o"}) AddLinear(shapes, name + part, dim, dim);
  shapes[name + "norm_q.weight"] = {dim};
  shapes[name + "norm_k.weight"] = {dim};
}

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

Shapes DitWeightShapes(const DitOptions& options) {
  const int64_t dim = options.dim;
  const int64_t patch = options.patch;
  Shapes shapes;
  shapes["patch_embedding.weight"] = {dim, options.in_channels, 1, patch, patch};
  shapes["patch_embedding.bias"] = {dim};
  AddLinear(shapes, "text_embedding.0", dim, options.text_dim);
  AddLinear(shapes, "text_embedding.2", dim, dim);
  AddLinear(shapes, "time_embedding.0", dim, options.freq_dim);
  AddLinear(shapes, "time_embedding.2", dim, dim);
  AddLinear(shapes, "time_projection.1", 6 * dim, dim);
  AddLinear(shapes, "head.head", options.out_channels * patch * patch, dim);
  shapes["head.modulation"] = {1, 2, dim};
  if (options.segment_embeddings > 0)
    shapes["segment_embedding.weight"] = {options.segment_embeddings, dim};
  for (int i = 0; i < options.num_layers; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    shapes[block + "modulation"] = {1, 6, dim};
    AddAttention(shapes, block + "self_attn.", dim);
    AddAttention(shapes, block + "cross_attn.", dim);
    shapes[block + "norm3.weight"] = {dim};
    shapes[block + "norm3.bias"] = {dim};
    AddLinear(shapes, block + "ffn.0", options.ffn_dim, dim);
    AddLinear(shapes, block + "ffn.2", dim, options.ffn_dim);
    if (options.camera.mode != "none")
      AddLinear(shapes, block + "cam_encoder.2", dim, options.camera.features);
    if (options.camera.projector) AddLinear(shapes, block + "projector", dim, dim);
  }
  return shapes;
}

std::map<std::string, at::Tensor> InitialDitWeights(const DitOptions& options, const Rng& rng) {
  std::map<std::string, at::Tensor> weights;
  for (const auto& [name, shape] : DitWeightShapes(options))
    weights[name] = InitialTensor(name, shape, rng);
  return weights;
}

}  // namespace aim
