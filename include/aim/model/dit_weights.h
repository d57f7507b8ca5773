// The weights of the DiT, found once by name when a model is made: the forward pass knows members,
// not names. Names are those of the official checkpoint (docs/reference/wan22.md 2.6,
// docs/reference/method.md 3.3).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "aim/base/rng.h"
#include "aim/model/dit_options.h"
#include "aim/tensor/weights.h"

namespace aim {

// y = x weight^T + bias, and lora_scale x lora_a^T lora_b^T where an adapter is attached (lora.h).
struct LinearWeights {
  at::Tensor weight;       // [out, in]; float8_e4m3fn where there is a scale
  at::Tensor bias;         // [out]
  at::Tensor scale = {};   // [out] float32, of the rows of `weight`; undefined without (dit_fp8.h)
  at::Tensor lora_a = {};  // [rank, in], undefined without an adapter
  at::Tensor lora_b = {};  // [out, rank]
  double lora_scale = 1;
};

struct DitAttentionWeights {
  LinearWeights q, k, v, o;
  at::Tensor norm_q, norm_k;  // [dim]
};

struct DitBlockWeights {
  at::Tensor modulation;  // [1, 6, dim]
  DitAttentionWeights self_attn, cross_attn;
  at::Tensor norm3_weight, norm3_bias;  // [dim]
  LinearWeights ffn_up, ffn_down;
  LinearWeights camera;     // undefined without cameras
  LinearWeights projector;  // undefined unless options.camera.projector

  // Calls visit(name, part, out, in) for every matrix of the block called `block`.
  template <class Self, class Visitor>
  static void ForEachLinear(Self& self, const std::string& block, const DitOptions& options,
                            Visitor&& visit);
};

struct DitWeights {
  LinearWeights patch_embedding;  // weight [dim, channels, 1, patch, patch]
  LinearWeights text_first, text_second;
  LinearWeights time_first, time_second, time_projection;
  at::Tensor segment_embedding;  // [segments, dim]; undefined without one
  std::vector<DitBlockWeights> blocks;
  at::Tensor head_modulation;  // [1, 2, dim]
  LinearWeights head;

  // Calls visit(name, tensor, shape) for every weight that the options ask for; `self.blocks` gets
  // or has one entry a layer.
  template <class Self, class Visitor>
  static void ForEach(Self& self, const DitOptions& options, Visitor&& visit);
};

// Name and shape of every weight the options ask for.
ShapeMap DitWeightShapes(const DitOptions& options);

// By name and back; tensors are shared. The first throws one InputError listing every missing,
// unknown and wrongly shaped weight; `where` names the file.
DitWeights ResolveDitWeights(const DitOptions& options, const WeightMap& named,
                             const std::string& where);
WeightMap NamedDitWeights(const DitOptions& options, const DitWeights& weights);

// Fresh weights: truncated-free normals of variance 1 / fan-in; output projections, head and camera
// encoders zero; modulation so that gates start at 1. Deterministic in `rng`.
WeightMap InitialDitWeights(const DitOptions& options, const Rng& rng);

// The same ones where `weights` has none of that name.
void AddInitialWeights(const DitOptions& options, const Rng& rng, WeightMap& weights);

template <class Self, class Visitor>
void DitBlockWeights::ForEachLinear(Self& self, const std::string& block, const DitOptions& options,
                                    Visitor&& visit) {
  const int64_t dim = options.dim;
  const auto attention = [&](const std::string& name, auto& part) {
    visit(name + ".q", part.q, dim, dim);
    visit(name + ".k", part.k, dim, dim);
    visit(name + ".v", part.v, dim, dim);
    visit(name + ".o", part.o, dim, dim);
  };
  attention(block + ".self_attn", self.self_attn);
  attention(block + ".cross_attn", self.cross_attn);
  visit(block + ".ffn.0", self.ffn_up, int64_t{options.ffn_dim}, dim);
  visit(block + ".ffn.2", self.ffn_down, dim, int64_t{options.ffn_dim});
  if (options.camera.mode != CameraMode::kNone)
    visit(block + ".cam_encoder.2", self.camera, dim, int64_t{options.camera.features});
  if (options.camera.projector) visit(block + ".projector", self.projector, dim, dim);
}

template <class Self, class Visitor>
void DitWeights::ForEach(Self& self, const DitOptions& options, Visitor&& visit) {
  using Shape = std::vector<int64_t>;
  const int64_t dim = options.dim;
  const int64_t patch = options.patch;
  const auto linear = [&](const std::string& name, auto& part, int64_t out, int64_t in) {
    visit(name + ".weight", part.weight, Shape{out, in});
    visit(name + ".bias", part.bias, Shape{out});
  };
  const auto norms = [&](const std::string& name, auto& part) {
    visit(name + ".norm_q.weight", part.norm_q, Shape{dim});
    visit(name + ".norm_k.weight", part.norm_k, Shape{dim});
  };
  const auto block = [&](const std::string& name, auto& part) {
    visit(name + ".modulation", part.modulation, Shape{1, 6, dim});
    norms(name + ".self_attn", part.self_attn);
    norms(name + ".cross_attn", part.cross_attn);
    visit(name + ".norm3.weight", part.norm3_weight, Shape{dim});
    visit(name + ".norm3.bias", part.norm3_bias, Shape{dim});
    DitBlockWeights::ForEachLinear(part, name, options, linear);
  };

  visit(std::string("patch_embedding.weight"), self.patch_embedding.weight,
        Shape{dim, options.in_channels, 1, patch, patch});
  visit(std::string("patch_embedding.bias"), self.patch_embedding.bias, Shape{dim});
  linear("text_embedding.0", self.text_first, dim, options.text_dim);
  linear("text_embedding.2", self.text_second, dim, dim);
  linear("time_embedding.0", self.time_first, dim, options.freq_dim);
  linear("time_embedding.2", self.time_second, dim, dim);
  linear("time_projection.1", self.time_projection, 6 * dim, dim);
  if (options.segment_embeddings > 0) {
    visit(std::string("segment_embedding.weight"), self.segment_embedding,
          Shape{options.segment_embeddings, dim});
  }
  if constexpr (!std::is_const_v<Self>) self.blocks.resize(static_cast<size_t>(options.num_layers));
  for (size_t i = 0; i < self.blocks.size(); ++i)
    block("blocks." + std::to_string(i), self.blocks[i]);
  visit(std::string("head.modulation"), self.head_modulation, Shape{1, 2, dim});
  linear("head.head", self.head, options.out_channels * patch * patch, dim);
}

}  // namespace aim
