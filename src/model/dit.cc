#include "aim/model/dit.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aim/base/error.h"
#include "aim/kernels/attention.h"
#include "aim/kernels/fused.h"
#include "aim/kernels/rounded_ops.h"
#include "aim/tensor/shape.h"
#include "model/dit_embedding.h"

namespace aim {
namespace {

const at::Tensor& Weight(const Dit& dit, const std::string& name) {
  const auto found = dit.weights.find(name);
  AIM_CHECK(found != dit.weights.end());
  return found->second;
}

at::Tensor Linear(const Dit& dit, const at::Tensor& x, const std::string& name,
                  at::ScalarType dtype) {
  return at::linear(x.to(dtype), Weight(dit, name + ".weight").to(dtype),
                    Weight(dit, name + ".bias").to(dtype));
}

// The type of timestep, modulation, norms and residual stream.
at::ScalarType IslandDtype(const Dit& dit) {
  return dit.numerics == Numerics::kTrained ? dit.compute_dtype : at::kFloat;
}

at::Tensor Linear(const Dit& dit, const at::Tensor& x, const std::string& name) {
  return Linear(dit, x, name, dit.compute_dtype);
}

// [B, N, D] -> [B, heads, N, head_dim]
at::Tensor SplitHeads(const at::Tensor& x, int64_t num_heads) {
  return x.view({x.size(0), x.size(1), num_heads, -1}).transpose(1, 2);
}

// The row-wise pieces in the numerics of `dit`.
at::Tensor Modulate(const Dit& dit, const at::Tensor& x, const at::Tensor& shift,
                    const at::Tensor& scale, const at::Tensor& camera) {
  return dit.numerics == Numerics::kTrained
             ? rounded::ModulatedNorm(x, shift, scale, camera, dit.options.eps)
             : ModulatedNorm(x, shift, scale, camera, dit.compute_dtype, dit.options.eps);
}

at::Tensor AddGated(const Dit& dit, const at::Tensor& x, const at::Tensor& y,
                    const at::Tensor& gate) {
  return dit.numerics == Numerics::kTrained ? rounded::GatedAdd(x, y, gate) : GatedAdd(x, y, gate);
}

// RMSNorm with the weight of that name; rotated if there are tables.
at::Tensor Normalize(const Dit& dit, const at::Tensor& x, const std::string& name,
                     const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor weight = Weight(dit, name).to(IslandDtype(dit));
  return dit.numerics == Numerics::kTrained
             ? rounded::NormRope(x, weight, cos, sin, dit.options.num_heads, dit.options.eps)
             : NormRope(x, weight, cos, sin, dit.options.num_heads, dit.options.eps);
}

void EmbedTime(const Dit& dit, const at::Tensor& timestep, DitState& state) {
  const at::ScalarType dtype = IslandDtype(dit);
  const DistinctTimesteps distinct = FindDistinct(timestep);
  // Matrix products of few rows round differently: as many rows as there were, up to that point, so
  // that joining equal timesteps changes no bit.
  std::vector<float> rows = distinct.values;
  rows.resize(std::max(rows.size(), static_cast<size_t>(std::min<int64_t>(timestep.numel(), 16))));
  const c10::Device device = state.tokens.device();
  const at::Tensor sinusoid = TimeSinusoid(at::tensor(rows).to(dtype), dit.options.freq_dim)
                                  .to(dtype)
                                  .to(device, /*non_blocking=*/true);
  const at::Tensor e = Linear(dit, sinusoid, "time_embedding.0", dtype);
  state.time_head = Linear(dit, at::silu(e), "time_embedding.2", dtype);
  state.time_blocks = Linear(dit, at::silu(state.time_head), "time_projection.1", dtype)
                          .view({-1, 6, dit.options.dim});
  state.time_rows = at::tensor(distinct.index)
                        .view({timestep.size(0), distinct.groups})
                        .to(device, /*non_blocking=*/true);
}

// Rows [U, dim] as the modulation of each group: [B, G, dim].
at::Tensor OfGroups(const at::Tensor& rows, const at::Tensor& time_rows) {
  return rows.index({time_rows});
}

at::Tensor SelfAttention(const Dit& dit, const at::Tensor& x, const std::string& block,
                         const DitContext& context) {
  const std::string name = block + "self_attn.";
  const int64_t heads = dit.options.num_heads;
  const auto norm_rope = [&](const std::string& which) {
    return SplitHeads(
        Normalize(dit, Linear(dit, x, name + which), name + "norm_" + which + ".weight",
                  context.rope_cos, context.rope_sin),
        heads);
  };
  const at::Tensor attended =
      Attend(norm_rope("q"), norm_rope("k"), SplitHeads(Linear(dit, x, name + "v"), heads), {});
  const at::Tensor out = Linear(dit, attended, name + "o");
  return dit.options.camera.projector ? Linear(dit, out, block + "projector") : out;
}

at::Tensor CrossAttention(const Dit& dit, const at::Tensor& x, const std::string& block,
                          const DitContext& context, size_t index) {
  const std::string name = block + "cross_attn.";
  const at::Tensor query =
      Normalize(dit, Linear(dit, x, name + "q"), name + "norm_q.weight", {}, {});
  const at::Tensor attended =
      Attend(SplitHeads(query, dit.options.num_heads), context.text_key[index],
             context.text_value[index], context.text_bias);
  return Linear(dit, attended, name + "o");
}

at::Tensor AffineNorm(const Dit& dit, const at::Tensor& x, const std::string& name) {
  const at::ScalarType dtype = IslandDtype(dit);
  const at::Tensor weight = Weight(dit, name + ".weight").to(dtype);
  const at::Tensor bias = Weight(dit, name + ".bias").to(dtype);
  if (dit.numerics == Numerics::kTrained)
    return at::layer_norm(x, {x.size(2)}, weight, bias, dit.options.eps);
  // An affine norm is a modulation that is the same for every sample.
  const auto for_all = [&](const at::Tensor& row) { return row.expand({x.size(0), 1, -1}); };
  return Modulate(dit, x, for_all(bias), for_all(weight - 1), {});
}

// wan22.md 2.4 with the camera added behind the modulation (method.md 3.3).
at::Tensor Block(const Dit& dit, const DitState& state, const at::Tensor& tokens,
                 const DitContext& context, size_t index) {
  const std::string block = "blocks." + std::to_string(index) + ".";
  const at::ScalarType dtype = IslandDtype(dit);
  const at::Tensor modulation = Weight(dit, block + "modulation").to(dtype) + state.time_blocks;
  const auto part = [&](int64_t i) { return OfGroups(modulation.select(1, i), state.time_rows); };
  const at::Tensor camera = context.camera.empty() ? at::Tensor() : context.camera[index];

  const at::Tensor a = Modulate(dit, tokens, part(0), part(1), camera);
  at::Tensor x = AddGated(dit, tokens, SelfAttention(dit, a, block, context), part(2));
  x = x + CrossAttention(dit, AffineNorm(dit, x, block + "norm3"), block, context, index);
  const at::Tensor b = Modulate(dit, x, part(3), part(4), {});
  const at::Tensor hidden = GeluTanh(Linear(dit, b, block + "ffn.0"));
  return AddGated(dit, x, Linear(dit, hidden, block + "ffn.2"), part(5));
}

struct MergedText {
  at::Tensor text;  // [B, K, D]
  at::Tensor bias;  // [B, K] or undefined
};

// The rows of zeros that end every text of a batch have one key and one value, and n equal scores s
// weigh in a softmax like one of s + log n: the first of them stands for all. 20 words padded to
// 512 cost 21 rows. Not where gradients are wanted, and not on other devices, whose attention is
// slower with a bias than over a few hundred keys.
MergedText MergePadding(const at::Tensor& text) {
  if (!text.is_cpu() || c10::GradMode::is_enabled() || text.numel() == 0) return {text, {}};
  const at::Tensor is_used = (text != 0).any(2).any(0).to(at::kByte);
  const at::Tensor used = is_used.nonzero();
  const int64_t length = used.numel() == 0 ? 0 : used[-1].item<int64_t>() + 1;
  const int64_t padding = text.size(1) - length;
  if (padding < 2) return {text, {}};
  const at::Tensor bias = at::zeros({text.size(0), length + 1}, at::kFloat);
  bias.select(1, length).fill_(std::log(static_cast<double>(padding)));
  return {text.narrow(1, 0, length + 1), bias};
}

// Fills what depends on the text.
void SetText(const Dit& dit, const at::Tensor& padded_text, DitContext& context) {
  const DitOptions& options = dit.options;
  const auto [text, bias] = MergePadding(padded_text);
  context.text_bias = bias;
  const at::Tensor features =
      Linear(dit, GeluTanh(Linear(dit, text, "text_embedding.0")), "text_embedding.2");
  context.text_key.clear();
  context.text_value.clear();
  for (int i = 0; i < options.num_layers; ++i) {
    const std::string name = "blocks." + std::to_string(i) + ".cross_attn.";
    const at::Tensor key =
        Normalize(dit, Linear(dit, features, name + "k"), name + "norm_k.weight", {}, {});
    context.text_key.push_back(SplitHeads(key, options.num_heads));
    context.text_value.push_back(SplitHeads(Linear(dit, features, name + "v"), options.num_heads));
  }
}

// Tensors [B, ...] of one context behind those of the other.
std::vector<at::Tensor> JoinBatches(const std::vector<at::Tensor>& first,
                                    const std::vector<at::Tensor>& second) {
  AIM_CHECK(first.size() == second.size());
  std::vector<at::Tensor> joined;
  for (size_t i = 0; i < first.size(); ++i) joined.push_back(at::cat({first[i], second[i]}));
  return joined;
}

int64_t NumKeys(const DitContext& context) { return context.text_key.at(0).size(2); }

// The same context with its text seen as `num_keys` keys, the added ones without weight.
DitContext PadText(const DitContext& context, int64_t num_keys) {
  const int64_t missing = num_keys - NumKeys(context);
  DitContext padded = context;
  if (!padded.text_bias.defined()) {
    const at::Tensor& key = context.text_key[0];
    padded.text_bias = at::zeros({key.size(0), key.size(2)}, key.options().dtype(at::kFloat));
  }
  if (missing == 0) return padded;
  for (std::vector<at::Tensor>* rows : {&padded.text_key, &padded.text_value}) {
    for (at::Tensor& row : *rows) row = at::constant_pad_nd(row, {0, 0, 0, missing});
  }
  padded.text_bias =
      at::constant_pad_nd(padded.text_bias, {0, missing}, -std::numeric_limits<double>::infinity());
  return padded;
}

}  // namespace

at::ScalarType WeightDtype(const Dit& dit, const std::string& name) {
  if (dit.numerics == Numerics::kTrained) return dit.compute_dtype;
  const bool is_island = name.find("norm") != std::string::npos ||
                         name.find("modulation") != std::string::npos ||
                         name.rfind("time_", 0) == 0 || name.rfind("segment_", 0) == 0;
  return is_island ? at::kFloat : dit.compute_dtype;
}

void CastWeights(Dit& dit) {
  for (auto& [name, weight] : dit.weights) weight = weight.to(WeightDtype(dit, name));
}

DitContext PrepareContext(const Dit& dit, const CanvasLayout& layout, const at::Tensor& text,
                          const at::Tensor& camera) {
  const DitOptions& options = dit.options;
  CheckShape(text, {"B", "L", options.text_dim}, "text");
  DitContext context;
  context.layout = layout;
  const at::Tensor angles = RopeAngles(layout, options.head_dim(), options.patch);
  context.rope_cos = angles.cos().to(at::kFloat).to(text.device());
  context.rope_sin = angles.sin().to(at::kFloat).to(text.device());
  if (options.segment_embeddings > 0)
    context.segment_rows = at::tensor(layout.segment_ids).to(text.device());
  SetText(dit, text, context);
  if (options.camera.mode == "none") return context;

  const int64_t frames = static_cast<int64_t>(layout.frame_positions.size());
  const bool is_ray_token = options.camera.mode == "ray_token";
  CheckShape(camera,
             {text.size(0), frames, is_ray_token ? TokensPerFrame(options, layout) : 1,
              options.camera.features},
             "camera");
  for (int i = 0; i < options.num_layers; ++i) {
    context.camera.push_back(
        Linear(dit, camera, "blocks." + std::to_string(i) + ".cam_encoder.2").flatten(1, 2));
  }
  return context;
}

DitContext WithText(const Dit& dit, const DitContext& context, const at::Tensor& text) {
  CheckShape(text, {context.text_key.at(0).size(0), "L", dit.options.text_dim}, "text");
  DitContext other = context;
  SetText(dit, text, other);
  return other;
}

DitContext JoinContexts(const DitContext& first, const DitContext& second) {
  const int64_t num_keys = std::max(NumKeys(first), NumKeys(second));
  const bool is_plain = !first.text_bias.defined() && !second.text_bias.defined() &&
                        NumKeys(first) == NumKeys(second);
  const DitContext top = is_plain ? first : PadText(first, num_keys);
  const DitContext bottom = is_plain ? second : PadText(second, num_keys);
  DitContext joined = first;
  joined.text_key = JoinBatches(top.text_key, bottom.text_key);
  joined.text_value = JoinBatches(top.text_value, bottom.text_value);
  joined.text_bias = is_plain ? at::Tensor() : at::cat({top.text_bias, bottom.text_bias});
  joined.camera = JoinBatches(first.camera, second.camera);
  return joined;
}

DitState BeginForward(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                      const DitContext& context) {
  const DitOptions& options = dit.options;
  const CanvasLayout& layout = context.layout;
  const int64_t frames = static_cast<int64_t>(layout.frame_positions.size());
  const int64_t batch = context.text_key.at(0).size(0);
  CheckShape(latents, {batch, options.in_channels, frames, layout.height, layout.width}, "latents");
  const at::Tensor grouped =
      timestep.defined() && timestep.dim() == 1 ? timestep.unsqueeze(1) : timestep;
  CheckShape(grouped, {batch, "G"}, "timestep");
  const int64_t num_tokens = frames * TokensPerFrame(options, layout);
  if (grouped.size(1) < 1 || num_tokens % grouped.size(1) != 0) {
    throw InputError({.where = "timestep",
                      .got = ShapeText(timestep.sizes()),
                      .expected = "one number a sample, a latent frame (" + std::to_string(frames) +
                                  ") or a token (" + std::to_string(num_tokens) + ")",
                      .fix = ""});
  }
  DitState state;
  const at::Tensor weight = Weight(dit, "patch_embedding.weight").flatten(1).to(dit.compute_dtype);
  state.tokens = at::linear(Patchify(latents, options.patch).to(dit.compute_dtype), weight,
                            Weight(dit, "patch_embedding.bias").to(dit.compute_dtype))
                     .to(IslandDtype(dit));
  if (options.segment_embeddings > 0) {
    const at::Tensor rows =
        Weight(dit, "segment_embedding.weight").to(IslandDtype(dit)).index({context.segment_rows});
    state.tokens = (state.tokens.view({batch, frames, -1, options.dim}) +
                    rows.view({1, frames, 1, options.dim}))
                       .flatten(1, 2);
  }
  EmbedTime(dit, grouped, state);
  return state;
}

at::Tensor RunBlocks(const Dit& dit, const DitState& state, const DitContext& context, int first,
                     int last) {
  at::Tensor tokens = state.tokens;
  for (int i = first; i < last; ++i)
    tokens = Block(dit, state, tokens, context, static_cast<size_t>(i));
  return tokens;
}

at::Tensor FinishForward(const Dit& dit, const DitState& state, const DitContext& context) {
  const at::Tensor modulation =
      Weight(dit, "head.modulation").to(IslandDtype(dit)) + state.time_head.unsqueeze(1);
  const auto part = [&](int64_t i) { return OfGroups(modulation.select(1, i), state.time_rows); };
  const at::Tensor out = Modulate(dit, state.tokens, part(0), part(1), {});
  return Unpatchify(Linear(dit, out, "head.head").to(at::kFloat), context.layout,
                    dit.options.out_channels, dit.options.patch);
}

at::Tensor ForwardDit(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                      const DitContext& context) {
  DitState state = BeginForward(dit, latents, timestep, context);
  state.tokens = RunBlocks(dit, state, context, 0, dit.options.num_layers);
  return FinishForward(dit, state, context);
}

}  // namespace aim
