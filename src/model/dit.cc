#include "aim/model/dit.h"

#include <ATen/ATen.h>

#include <cmath>

#include "aim/base/error.h"
#include "aim/tensor/shape.h"
#include "fused.h"

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

at::Tensor Linear(const Dit& dit, const at::Tensor& x, const std::string& name) {
  return Linear(dit, x, name, dit.compute_dtype);
}

// [B, N, D] -> [B, heads, N, head_dim]
at::Tensor SplitHeads(const at::Tensor& x, int64_t num_heads) {
  return x.view({x.size(0), x.size(1), num_heads, -1}).transpose(1, 2);
}

at::Tensor Attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const at::Tensor out = at::scaled_dot_product_attention(query, key, value);
  return out.transpose(1, 2).reshape({query.size(0), query.size(2), -1});
}

// [B, G] -> [B, G, freq_dim]: cosines first (wan22.md 2.3), computed in float64.
at::Tensor TimeSinusoid(const at::Tensor& timestep, int64_t width) {
  const int64_t half = width / 2;
  const at::Tensor frequency =
      at::pow(10000.0,
              at::arange(half, timestep.options().dtype(at::kDouble)) / -static_cast<double>(half));
  const at::Tensor angle = timestep.to(at::kDouble).unsqueeze(-1) * frequency;
  return at::cat({angle.cos(), angle.sin()}, -1).to(at::kFloat);
}

struct TimeEmbedding {
  at::Tensor head;    // [B, G, dim]
  at::Tensor blocks;  // [B, G, 6, dim]
};

TimeEmbedding EmbedTime(const Dit& dit, const at::Tensor& timestep) {
  at::Tensor e =
      Linear(dit, TimeSinusoid(timestep, dit.options.freq_dim), "time_embedding.0", at::kFloat);
  e = Linear(dit, at::silu(e), "time_embedding.2", at::kFloat);
  const at::Tensor e0 = Linear(dit, at::silu(e), "time_projection.1", at::kFloat);
  return {e, e0.view({e.size(0), e.size(1), 6, dit.options.dim})};
}

// Angles of one axis: position * 10000^(-2 j / n), j = 0 .. n/2 - 1. [positions, n/2] float64.
at::Tensor AxisAngles(const at::Tensor& positions, int64_t n) {
  const at::Tensor frequency =
      at::pow(10000.0, at::arange(n / 2, at::kDouble) * (-2.0 / static_cast<double>(n)));
  return positions.to(at::kDouble).unsqueeze(1) * frequency.unsqueeze(0);
}

// [N, head_dim / 2] angles over (frame, row, column). wan22.md 2.4.
at::Tensor RopeAngles(const CanvasLayout& layout, int64_t head_dim, int64_t patch) {
  const int64_t frames = static_cast<int64_t>(layout.frame_positions.size());
  const int64_t rows = layout.height / patch;
  const int64_t columns = layout.width / patch;
  const int64_t space = 2 * (head_dim / 6);
  const int64_t time = head_dim - 2 * space;
  const at::Tensor f =
      AxisAngles(at::tensor(layout.frame_positions), time).view({frames, 1, 1, -1});
  const at::Tensor r = AxisAngles(at::arange(rows), space).view({1, rows, 1, -1});
  const at::Tensor c = AxisAngles(at::arange(columns), space).view({1, 1, columns, -1});
  return at::cat({f.expand({frames, rows, columns, time / 2}),
                  r.expand({frames, rows, columns, space / 2}),
                  c.expand({frames, rows, columns, space / 2})},
                 -1)
      .reshape({frames * rows * columns, head_dim / 2});
}

// [B, C, F, h, w] -> [B, N, C * patch * patch] in the order (c, row, column) of the patch Conv3d.
at::Tensor Patchify(const at::Tensor& latents, int64_t patch) {
  const int64_t b = latents.size(0), c = latents.size(1), f = latents.size(2);
  const int64_t rows = latents.size(3) / patch, columns = latents.size(4) / patch;
  return latents.reshape({b, c, f, rows, patch, columns, patch})
      .permute({0, 2, 3, 5, 1, 4, 6})
      .reshape({b, f * rows * columns, c * patch * patch});
}

// The head's rows hold (row, column, c) with the channel fastest. wan22.md 2.5.
at::Tensor Unpatchify(const at::Tensor& tokens, const CanvasLayout& layout, int64_t channels,
                      int64_t patch) {
  const int64_t b = tokens.size(0);
  const int64_t f = static_cast<int64_t>(layout.frame_positions.size());
  const int64_t rows = layout.height / patch, columns = layout.width / patch;
  return tokens.view({b, f, rows, columns, patch, patch, channels})
      .permute({0, 6, 1, 2, 4, 3, 5})
      .reshape({b, channels, f, layout.height, layout.width});
}

at::Tensor SelfAttention(const Dit& dit, const at::Tensor& x, const std::string& block,
                         const DitContext& context) {
  const std::string name = block + "self_attn.";
  const int64_t heads = dit.options.num_heads;
  const auto norm_rope = [&](const std::string& which) {
    const at::Tensor projected = Linear(dit, x, name + which);
    const at::Tensor weight = Weight(dit, name + "norm_" + which + ".weight").to(at::kFloat);
    return SplitHeads(
        NormRope(projected, weight, context.rope_cos, context.rope_sin, heads, dit.options.eps),
        heads);
  };
  const at::Tensor attended =
      Attend(norm_rope("q"), norm_rope("k"), SplitHeads(Linear(dit, x, name + "v"), heads));
  const at::Tensor out = Linear(dit, attended, name + "o");
  return dit.options.camera.projector ? Linear(dit, out, block + "projector") : out;
}

at::Tensor CrossAttention(const Dit& dit, const at::Tensor& x, const std::string& block,
                          const DitContext& context, size_t index) {
  const std::string name = block + "cross_attn.";
  const at::Tensor query =
      NormRope(Linear(dit, x, name + "q"), Weight(dit, name + "norm_q.weight").to(at::kFloat), {},
               {}, dit.options.num_heads, dit.options.eps);
  const at::Tensor attended = Attend(SplitHeads(query, dit.options.num_heads),
                                     context.text_key[index], context.text_value[index]);
  return Linear(dit, attended, name + "o");
}

// wan22.md 2.4 with the camera added behind the modulation (method.md 3.3).
at::Tensor Block(const Dit& dit, const at::Tensor& tokens, const TimeEmbedding& time,
                 const DitContext& context, size_t index) {
  const std::string block = "blocks." + std::to_string(index) + ".";
  const double eps = dit.options.eps;
  const at::Tensor modulation =
      Weight(dit, block + "modulation").to(at::kFloat).unsqueeze(0) + time.blocks;
  const auto part = [&](int64_t i) { return modulation.select(2, i); };
  const at::Tensor camera = context.camera.empty() ? at::Tensor() : context.camera[index];

  at::Tensor x = tokens;
  const at::Tensor a = ModulatedNorm(x, part(0), part(1), camera, dit.compute_dtype, eps);
  x = GatedAdd(x, SelfAttention(dit, a, block, context), part(2));
  // An affine norm is a modulation that is the same for every sample.
  const auto for_all = [&](const at::Tensor& row) {
    return row.to(at::kFloat).expand({x.size(0), 1, -1});
  };
  const at::Tensor c =
      ModulatedNorm(x, for_all(Weight(dit, block + "norm3.bias")),
                    for_all(Weight(dit, block + "norm3.weight") - 1), {}, dit.compute_dtype, eps);
  x = x + CrossAttention(dit, c, block, context, index);
  const at::Tensor b = ModulatedNorm(x, part(3), part(4), {}, dit.compute_dtype, eps);
  const at::Tensor hidden = GeluTanh(Linear(dit, b, block + "ffn.0"));
  return GatedAdd(x, Linear(dit, hidden, block + "ffn.2"), part(5));
}

std::vector<at::Tensor> CameraTokens(const Dit& dit, const at::Tensor& camera,
                                     int64_t tokens_per_frame) {
  std::vector<at::Tensor> tokens;
  for (int i = 0; i < dit.options.num_layers; ++i) {
    const at::Tensor token = Linear(dit, camera, "blocks." + std::to_string(i) + ".cam_encoder.2");
    tokens.push_back(
        token.expand({camera.size(0), camera.size(1), tokens_per_frame, dit.options.dim})
            .reshape({camera.size(0), camera.size(1) * tokens_per_frame, dit.options.dim}));
  }
  return tokens;
}

}  // namespace

DitContext PrepareContext(const Dit& dit, const CanvasLayout& layout, const at::Tensor& text,
                          const at::Tensor& camera) {
  const DitOptions& options = dit.options;
  CheckShape(text, {-1, -1, options.text_dim}, "text");
  DitContext context;
  context.layout = layout;
  const at::Tensor angles = RopeAngles(layout, options.head_dim(), options.patch);
  context.rope_cos = angles.cos().to(at::kFloat).to(text.device());
  context.rope_sin = angles.sin().to(at::kFloat).to(text.device());

  const at::Tensor features =
      Linear(dit, GeluTanh(Linear(dit, text, "text_embedding.0")), "text_embedding.2");
  for (int i = 0; i < options.num_layers; ++i) {
    const std::string name = "blocks." + std::to_string(i) + ".cross_attn.";
    const at::Tensor key = NormRope(Linear(dit, features, name + "k"),
                                    Weight(dit, name + "norm_k.weight").to(at::kFloat), {}, {},
                                    options.num_heads, options.eps);
    context.text_key.push_back(SplitHeads(key, options.num_heads));
    context.text_value.push_back(SplitHeads(Linear(dit, features, name + "v"), options.num_heads));
  }
  if (options.camera.mode != "none") {
    const int64_t frames = static_cast<int64_t>(layout.frame_positions.size());
    const int64_t tokens = (layout.height / options.patch) * (layout.width / options.patch);
    CheckShape(camera,
               {text.size(0), frames, options.camera.mode == "ray_token" ? tokens : 1,
                options.camera.features},
               "camera");
    context.camera = CameraTokens(dit, camera, tokens);
  }
  return context;
}

at::Tensor ForwardDit(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                      const DitContext& context) {
  const DitOptions& options = dit.options;
  const CanvasLayout& layout = context.layout;
  const int64_t frames = static_cast<int64_t>(layout.frame_positions.size());
  CheckShape(latents, {-1, options.in_channels, frames, layout.height, layout.width}, "latents");
  CheckShape(timestep, {latents.size(0), -1}, "timestep");

  const at::Tensor patch_weight =
      Weight(dit, "patch_embedding.weight").flatten(1).to(dit.compute_dtype);
  at::Tensor x = at::linear(Patchify(latents, options.patch).to(dit.compute_dtype), patch_weight,
                            Weight(dit, "patch_embedding.bias").to(dit.compute_dtype))
                     .to(at::kFloat);
  if (options.segment_embeddings > 0) {
    const at::Tensor rows = Weight(dit, "segment_embedding.weight")
                                .index_select(0, at::tensor(layout.segment_ids).to(x.device()));
    x = (x.view({x.size(0), frames, -1, options.dim}) + rows.view({1, frames, 1, options.dim}))
            .flatten(1, 2);
  }
  const TimeEmbedding time = EmbedTime(dit, timestep);
  for (int i = 0; i < options.num_layers; ++i)
    x = Block(dit, x, time, context, static_cast<size_t>(i));

  const at::Tensor modulation =
      Weight(dit, "head.modulation").to(at::kFloat).unsqueeze(0) + time.head.unsqueeze(2);
  const at::Tensor out = ModulatedNorm(x, modulation.select(2, 0), modulation.select(2, 1), {},
                                       dit.compute_dtype, options.eps);
  return Unpatchify(Linear(dit, out, "head.head").to(at::kFloat), layout, options.out_channels,
                    options.patch);
}

}  // namespace aim
