// The Wan video diffusion transformer with camera conditioning: weights in a struct, the forward
// pass free functions over it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "aim/model/dit_options.h"
#include "aim/model/dit_weights.h"
#include "aim/recipe/numerics.h"

namespace aim {

struct Dit {
  Dit() = default;
  // Finds the weights by name and shares them. Throws InputError listing all that are missing,
  // unknown or of another shape.
  Dit(const DitOptions& options, const WeightMap& named, at::ScalarType compute_dtype = at::kFloat,
      Numerics numerics = Numerics::kAccurate);

  WeightMap NamedWeights() const { return NamedDitWeights(options, weights); }
  c10::Device device() const { return weights.head.weight.device(); }

  DitOptions options;
  DitWeights weights;
  at::ScalarType compute_dtype = at::kFloat;  // float32 or bfloat16
  Numerics numerics = Numerics::kAccurate;
};

// The type in which a forward pass reads a weight. Weights that have it are used as they are,
// others are cast at every use.
at::ScalarType DitWeightDtype(const std::string& name, at::ScalarType compute_dtype,
                              Numerics numerics);

// Casts every weight to its DitWeightDtype, one at a time. Results do not change.
void CastWeights(Dit& dit);

// Where the latent frames of a canvas stand. All vectors have one entry a latent frame.
struct CanvasLayout {
  int64_t height = 0;  // latent pixels
  int64_t width = 0;
  std::vector<int64_t> frame_positions;  // RoPE index of each latent frame
  std::vector<int64_t> segment_ids;      // row of the segment embedding; ignored without one
};

// What does not change while a clip is denoised: text keys and values and camera tokens of every
// block, RoPE tables. Differentiable in the weights.
struct DitContext {
  CanvasLayout layout;
  at::Tensor rope_cos;  // [N, head_dim / 2] f32
  at::Tensor rope_sin;
  at::Tensor segment_rows;  // [F] int64; undefined without a segment embedding
  // Per block [B, heads, K, head_dim], compute dtype. K is L, or fewer: without gradients on a CPU
  // one key stands for all rows of padding.
  std::vector<at::Tensor> text_key;
  std::vector<at::Tensor> text_value;
  at::Tensor text_bias;  // [B, K] f32, added to the scores of a key; undefined if all count alike
  std::vector<at::Tensor>
      camera;  // per block [B, F * P, dim], compute dtype; empty without cameras
};

//   text    [B, L, text_dim]    features, zeros past each prompt's end (attended, as released)
//   camera  [B, F, P, features] one vector a latent frame (P = 1) or a token (P = tokens a frame);
//                               undefined if camera.mode is none
// Throws InputError with the tensor, its shape and the one expected.
DitContext PrepareContext(const Dit& dit, const CanvasLayout& layout, const at::Tensor& text,
                          const at::Tensor& camera);

// The same cameras and layout under another text [B, L, text_dim]: the other branch of guidance.
// Shares what does not depend on the text.
DitContext WithText(const Dit& dit, const DitContext& context, const at::Tensor& text);

// Both contexts as one batch (rows of `first`, then of `second`): guidance in a single pass. Same
// layout.
DitContext JoinContexts(const DitContext& first, const DitContext& second);

// One pass of the network: what the head predicts for every latent voxel.
//
//   latents   [B, C, F, h, w]  canvas at the noise level of `timestep`, float32
//   timestep  [B] or [B, G] float32 in [0, 1000]; group g holds the g-th of G equal runs of tokens:
//             G = 1 one for all, G = F one a latent frame, G = N one a token
//   returns   [B, C, F, h, w]  float32: velocity (noise - clean) or clean, as options.prediction
//   says
//
// N = F * (h / patch) * (w / patch), ordered F, h, w. All on the device of the weights, but for the
// timestep, which is read on the CPU (elsewhere it costs a synchronisation): its embedding is
// computed once for each distinct value. Differentiable in latents and weights; not random. Throws
// InputError with the tensor, its shape and the one expected. Formulas:
// docs/reference/wan22.md 2.2 to 2.5, docs/reference/method.md 3.3.
at::Tensor ForwardDit(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                      const DitContext& context);

// A forward pass between two blocks. ForwardDit is BeginForward, RunBlocks over all, FinishForward;
// callers that skip blocks replace or add to `tokens` themselves.
struct DitState {
  at::Tensor tokens;       // [B, N, dim] residual stream: float32, or compute dtype if kTrained
  at::Tensor time_head;    // [U, dim] embeddings of the distinct timesteps
  at::Tensor time_blocks;  // [U, 6, dim]
  at::Tensor time_rows;    // [B, G] int64: which of them a group has
};

// Embeds latents and timesteps, as ForwardDit takes them: the tokens before block 0.
DitState BeginForward(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                      const DitContext& context);

// Tokens behind blocks `first` .. `last` - 1 of `state`, whose tokens stand before block `first`.
at::Tensor RunBlocks(const Dit& dit, const DitState& state, const DitContext& context, int first,
                     int last);

// What the head predicts from the tokens behind the last block: [B, C, F, h, w] float32.
at::Tensor FinishForward(const Dit& dit, const DitState& state, const DitContext& context);

}  // namespace aim
