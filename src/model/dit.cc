#include "aim/model/dit.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aim/base/error.h"
#include "aim/kernels/attention.h"
#include "aim/kernels/rounded_ops.h"
#include "aim/kernels/rows.h"
#include "aim/kernels/scaled_rows.h"
#include "aim/tensor/device.h"
#include "aim/tensor/shape.h"
#include "model/dit_context.h"
#include "model/dit_embedding.h"

namespace aim {
namespace {

at::Tensor Linear(const at::Tensor& x, const LinearWeights& part, at::ScalarType dtype) {
  const at::Tensor input = x.to(dtype);
  const at::Tensor output = at::linear(input, part.weight.to(dtype), part.bias.to(dtype));
  if (!part.lora_a.defined()) return output;
  const at::Tensor inner = at::linear(input, part.lora_a.to(dtype));
  return output + at::linear(inner, part.lora_b.to(dtype)) * part.lora_scale;
}

at::Tensor Linear(const Dit& dit, const at::Tensor& x, const LinearWeights& part) {
  if (!part.scale.defined()) return Linear(x, part, dit.compute_dtype);
  return ScaledProduct(QuantiseRows(x.contiguous()), {part.weight, part.scale}, part.bias);
}

// Rows that enter matrix products: as they are, or quantised once where the matrices are of eight
// bits.
struct Operand {
  at::Tensor rows;
  ScaledRows scaled;
};

at::Tensor Linear(const Dit& dit, const Operand& x, const LinearWeights& part) {
  if (!part.scale.defined()) return Linear(dit, x.rows, part);
  return ScaledProduct(x.scaled, {part.weight, part.scale}, part.bias);
}

// Whether the matrices of a block are of eight bits, all of dit_fp8.h or none.
bool IsScaled(const DitBlockWeights& block) { return block.ffn_up.scale.defined(); }

// The type of timestep, modulation, norms and residual stream.
at::ScalarType IslandDtype(const Dit& dit) {
  return dit.numerics == Numerics::kTrained ? dit.compute_dtype : at::kFloat;
}

// [B, N, D] -> [B, heads, N, head_dim]
at::Tensor SplitHeads(const at::Tensor& x, int64_t num_heads) {
  return x.view({x.size(0), x.size(1), num_heads, -1}).transpose(1, 2);
}

// The row-wise pieces in the numerics of `dit`. Where a block's matrices are of eight bits, what
// enters them is quantised from float32, or from what "trained" rounds it to.
at::Tensor Modulate(const Dit& dit, const at::Tensor& x, const at::Tensor& shift,
                    const at::Tensor& scale, const at::Tensor& camera) {
  return dit.numerics == Numerics::kTrained
             ? rounded::ModulatedNorm(x, shift, scale, camera, dit.options.eps)
             : ModulatedNorm(x, shift, scale, camera, dit.compute_dtype, dit.options.eps);
}

Operand ModulateFor(const DitBlockWeights& block, const Dit& dit, const at::Tensor& x,
                    const at::Tensor& shift, const at::Tensor& scale, const at::Tensor& camera) {
  if (IsScaled(block) && dit.numerics != Numerics::kTrained)
    return {{}, ScaledModulatedNorm(x, shift, scale, camera, dit.options.eps)};
  const at::Tensor rows = Modulate(dit, x, shift, scale, camera);
  return IsScaled(block) ? Operand{{}, QuantiseRows(rows)} : Operand{rows, {}};
}

Operand Gelu(const DitBlockWeights& block, const at::Tensor& x) {
  if (IsScaled(block)) return {{}, ScaledGeluTanh(x)};
  return {GeluTanh(x), {}};
}

at::Tensor AddGated(const Dit& dit, const at::Tensor& x, const at::Tensor& y,
                    const at::Tensor& gate) {
  return dit.numerics == Numerics::kTrained ? rounded::GatedAdd(x, y, gate) : GatedAdd(x, y, gate);
}

// RMSNorm, rotated if there are tables.
at::Tensor Normalize(const Dit& dit, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor island = weight.to(IslandDtype(dit));
  return dit.numerics == Numerics::kTrained
             ? rounded::NormRope(x, island, cos, sin, dit.options.num_heads, dit.options.eps)
             : NormRope(x, island, cos, sin, dit.options.num_heads, dit.options.eps);
}

void EmbedTime(const Dit& dit, const at::Tensor& timestep, DitState& state) {
  const at::ScalarType dtype = IslandDtype(dit);
  const DistinctTimesteps distinct = FindDistinct(timestep);
  // Matrix products of few rows round differently: as many rows as there were, up to that point, so
  // that joining equal timesteps changes no bit.
  std::vector<float> rows = distinct.values;
  rows.resize(std::max(rows.size(), static_cast<size_t>(std::min<int64_t>(timestep.numel(), 16))));
  const c10::Device device = state.tokens.device();
  const at::Tensor sinusoid =
      TimeSinusoid(CopyQueued(at::tensor(rows), device).to(dtype), dit.options.freq_dim).to(dtype);
  const at::Tensor e = Linear(sinusoid, dit.weights.time_first, dtype);
  state.time_head = Linear(at::silu(e), dit.weights.time_second, dtype);
  state.time_blocks = Linear(at::silu(state.time_head), dit.weights.time_projection, dtype)
                          .view({-1, 6, dit.options.dim});
  state.time_rows =
      CopyQueued(at::tensor(distinct.index).view({timestep.size(0), distinct.groups}), device);
}

// Rows [U, dim] as the modulation of each group: [B, G, dim]. The gradient of `index` would sort on
// a GPU and then add up one after another the thousands of rows that share the timestep of what is
// given.
at::Tensor OfGroups(const at::Tensor& rows, const at::Tensor& time_rows) {
  return rows.index_select(0, time_rows.flatten())
      .view({time_rows.size(0), time_rows.size(1), rows.size(1)});
}

at::Tensor SelfAttention(const Dit& dit, const Operand& x, const DitBlockWeights& block,
                         const DitContext& context) {
  const DitAttentionWeights& part = block.self_attn;
  const int64_t heads = dit.options.num_heads;
  const auto norm_rope = [&](const LinearWeights& linear, const at::Tensor& weight) {
    return SplitHeads(
        Normalize(dit, Linear(dit, x, linear), weight, context.rope_cos, context.rope_sin), heads);
  };
  const at::Tensor attended = Attend(norm_rope(part.q, part.norm_q), norm_rope(part.k, part.norm_k),
                                     SplitHeads(Linear(dit, x, part.v), heads), {});
  const at::Tensor out = Linear(dit, attended, part.o);
  return block.projector.weight.defined() ? Linear(dit, out, block.projector) : out;
}

at::Tensor CrossAttention(const Dit& dit, const Operand& x, const DitBlockWeights& block,
                          const DitContext& context, size_t index) {
  const DitAttentionWeights& part = block.cross_attn;
  const at::Tensor query = Normalize(dit, Linear(dit, x, part.q), part.norm_q, {}, {});
  const at::Tensor attended =
      Attend(SplitHeads(query, dit.options.num_heads), context.text_key[index],
             context.text_value[index], context.text_bias);
  return Linear(dit, attended, part.o);
}

// The modulation of one block for the tokens at hand.
struct BlockModulation {
  struct Part {
    at::Tensor shift, scale, gate;  // [B, G, dim]
  };
  Part attention;
  Part ffn;
};

BlockModulation ModulationOf(const Dit& dit, const DitState& state, size_t index) {
  const at::Tensor rows =
      dit.weights.blocks[index].modulation.to(IslandDtype(dit)) + state.time_blocks;
  const auto part = [&](int64_t i) { return OfGroups(rows.select(1, i), state.time_rows); };
  return {{part(0), part(1), part(2)}, {part(3), part(4), part(5)}};
}

const at::Tensor& CameraOf(const DitContext& context, size_t index) {
  static const at::Tensor kNone;
  return context.camera.empty() ? kNone : context.camera[index];
}

struct ResidualAndOperand {
  at::Tensor residual;
  Operand normed;
};

// x + y * gate, and the norm of it, with its modulation and camera, that enters `block`.
ResidualAndOperand AddAndModulate(const Dit& dit, const at::Tensor& x, const at::Tensor& y,
                                  const at::Tensor& gate, const BlockModulation::Part& next,
                                  const at::Tensor& camera, const DitBlockWeights& block) {
  const double eps = dit.options.eps;
  if (dit.numerics == Numerics::kTrained) {
    const at::Tensor residual = gate.defined() ? rounded::GatedAdd(x, y, gate) : x + y;
    return {residual, ModulateFor(block, dit, residual, next.shift, next.scale, camera)};
  }
  if (IsScaled(block)) {
    const ResidualAndScaledNorm sum =
        ScaledGatedAddNorm(x, y, gate, next.shift, next.scale, camera, eps);
    return {sum.residual, {{}, sum.normed}};
  }
  const ResidualAndNorm sum =
      GatedAddNorm(x, y, gate, next.shift, next.scale, camera, dit.compute_dtype, eps);
  return {sum.residual, {sum.normed, {}}};
}

// The same before the cross-attention, whose norm has weights.
ResidualAndOperand AddAndNorm(const Dit& dit, const at::Tensor& x, const at::Tensor& y,
                              const at::Tensor& gate, const DitBlockWeights& block) {
  const at::Tensor weight = block.norm3_weight.to(IslandDtype(dit));
  const at::Tensor bias = block.norm3_bias.to(IslandDtype(dit));
  if (dit.numerics == Numerics::kTrained) {
    const at::Tensor residual = rounded::GatedAdd(x, y, gate);
    const at::Tensor rows = at::layer_norm(residual, {x.size(2)}, weight, bias, dit.options.eps);
    return {residual, IsScaled(block) ? Operand{{}, QuantiseRows(rows)} : Operand{rows, {}}};
  }
  // An affine norm is a modulation that is the same for every sample.
  const auto for_all = [&](const at::Tensor& row) { return row.expand({x.size(0), 1, -1}); };
  return AddAndModulate(dit, x, y, gate, {for_all(bias), for_all(weight - 1), {}}, {}, block);
}

// tokens + addend * gate, not yet added up: the norm of the next block takes it in the same pass.
struct OpenSum {
  at::Tensor tokens, addend, gate;
};

// One block from its modulated input on (the camera is in it). docs/reference/wan22.md 2.4,
// docs/reference/method.md 3.3.
OpenSum RunBlock(const Dit& dit, ResidualAndOperand x, const BlockModulation& modulation,
                 const DitContext& context, size_t index) {
  const DitBlockWeights& block = dit.weights.blocks[index];
  const at::Tensor attended = SelfAttention(dit, x.normed, block, context);
  x = AddAndNorm(dit, x.residual, attended, modulation.attention.gate, block);
  const at::Tensor seen = CrossAttention(dit, x.normed, block, context, index);
  x = AddAndModulate(dit, x.residual, seen, {}, modulation.ffn, {}, block);
  const Operand hidden = Gelu(block, Linear(dit, x.normed, block.ffn_up));
  return {x.residual, Linear(dit, hidden, block.ffn_down), modulation.ffn.gate};
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
      Linear(dit, GeluTanh(Linear(dit, text, dit.weights.text_first)), dit.weights.text_second);
  context.text_key.clear();
  context.text_value.clear();
  for (const DitBlockWeights& block : dit.weights.blocks) {
    const DitAttentionWeights& part = block.cross_attn;
    const at::Tensor key = Normalize(dit, Linear(dit, features, part.k), part.norm_k, {}, {});
    context.text_key.push_back(SplitHeads(key, options.num_heads));
    context.text_value.push_back(SplitHeads(Linear(dit, features, part.v), options.num_heads));
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

at::ScalarType DitWeightDtype(const std::string& name, at::ScalarType compute_dtype,
                              Numerics numerics) {
  if (numerics == Numerics::kTrained) return compute_dtype;
  const bool is_island = name.find("norm") != std::string::npos ||
                         name.find("modulation") != std::string::npos ||
                         name.starts_with("time_") || name.starts_with("segment_");
  return is_island ? at::kFloat : compute_dtype;
}

Dit::Dit(const DitOptions& dit_options, const WeightMap& named, at::ScalarType dtype,
         Numerics dit_numerics)
    : options(dit_options),
      weights(ResolveDitWeights(dit_options, named, "the network")),
      compute_dtype(dtype),
      numerics(dit_numerics) {}

void CastWeights(Dit& dit) {
  DitWeights::ForEach(dit.weights, dit.options,
                      [&](const std::string& name, at::Tensor& weight, const auto&) {
                        if (weight.scalar_type() == at::kFloat8_e4m3fn) return;  // has a scale
                        weight = weight.to(DitWeightDtype(name, dit.compute_dtype, dit.numerics));
                      });
}

DitContext PrepareWithoutCamera(const Dit& dit, const CanvasLayout& layout,
                                const at::Tensor& text) {
  const DitOptions& options = dit.options;
  CheckShape(text, {"B", "L", options.text_dim}, "text");
  DitContext context;
  context.layout = layout;
  const at::Tensor angles = RopeAngles(layout, options.head_dim(), options.patch);
  const auto move = [&](const at::Tensor& made) { return CopyQueued(made, text.device()); };
  context.rope_cos = move(angles.cos().to(at::kFloat));
  context.rope_sin = move(angles.sin().to(at::kFloat));
  if (options.segment_embeddings > 0) context.segment_rows = move(at::tensor(layout.segment_ids));
  SetText(dit, text, context);
  return context;
}

void CheckCamera(const DitOptions& options, const CanvasLayout& layout, int64_t batch,
                 const at::Tensor& camera) {
  const int64_t frames = static_cast<int64_t>(layout.frame_positions.size());
  const bool is_ray_token = options.camera.mode == CameraMode::kRayToken;
  CheckShape(
      camera,
      {batch, frames, is_ray_token ? TokensPerFrame(options, layout) : 1, options.camera.features},
      "camera");
}

at::Tensor CameraTokens(const Dit& dit, const DitBlockWeights& block, const at::Tensor& camera) {
  return Linear(dit, camera, block.camera).flatten(1, 2);
}

DitContext PrepareContext(const Dit& dit, const CanvasLayout& layout, const at::Tensor& text,
                          const at::Tensor& camera) {
  DitContext context = PrepareWithoutCamera(dit, layout, text);
  if (dit.options.camera.mode == CameraMode::kNone) return context;
  CheckCamera(dit.options, layout, text.size(0), camera);
  for (const DitBlockWeights& block : dit.weights.blocks)
    context.camera.push_back(CameraTokens(dit, block, camera));
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
  const LinearWeights& patch = dit.weights.patch_embedding;
  state.tokens =
      Linear(dit, Patchify(latents, options.patch), {patch.weight.flatten(1), patch.bias})
          .to(IslandDtype(dit));
  if (options.segment_embeddings > 0) {
    const at::Tensor rows =
        dit.weights.segment_embedding.to(IslandDtype(dit)).index_select(0, context.segment_rows);
    state.tokens = (state.tokens.view({batch, frames, -1, options.dim}) +
                    rows.view({1, frames, 1, options.dim}))
                       .flatten(1, 2);
  }
  EmbedTime(dit, grouped, state);
  return state;
}

at::Tensor RunBlocks(const Dit& dit, const DitState& state, const DitContext& context, int first,
                     int last) {
  if (first >= last) return state.tokens;
  const auto begin = static_cast<size_t>(first), end = static_cast<size_t>(last);
  BlockModulation modulation = ModulationOf(dit, state, begin);
  const BlockModulation::Part& part = modulation.attention;
  const Operand entering = ModulateFor(dit.weights.blocks[begin], dit, state.tokens, part.shift,
                                       part.scale, CameraOf(context, begin));
  OpenSum sum = RunBlock(dit, {state.tokens, entering}, modulation, context, begin);
  for (size_t i = begin + 1; i < end; ++i) {
    modulation = ModulationOf(dit, state, i);
    sum = RunBlock(dit,
                   AddAndModulate(dit, sum.tokens, sum.addend, sum.gate, modulation.attention,
                                  CameraOf(context, i), dit.weights.blocks[i]),
                   modulation, context, i);
  }
  return AddGated(dit, sum.tokens, sum.addend, sum.gate);
}

at::Tensor FinishForward(const Dit& dit, const DitState& state, const DitContext& context) {
  const at::Tensor modulation =
      dit.weights.head_modulation.to(IslandDtype(dit)) + state.time_head.unsqueeze(1);
  const auto part = [&](int64_t i) { return OfGroups(modulation.select(1, i), state.time_rows); };
  const at::Tensor out = Modulate(dit, state.tokens, part(0), part(1), {});
  return Unpatchify(Linear(dit, out, dit.weights.head).to(at::kFloat), context.layout,
                    dit.options.out_channels, dit.options.patch);
}

at::Tensor ForwardDit(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                      const DitContext& context) {
  DitState state = BeginForward(dit, latents, timestep, context);
  state.tokens = RunBlocks(dit, state, context, 0, dit.options.num_layers);
  return FinishForward(dit, state, context);
}

}  // namespace aim
