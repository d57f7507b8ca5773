// The Wan video diffusion transformer with camera conditioning. Weights are a map with the names of
// the official checkpoint; the forward is free functions over it.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "aim/base/rng.h"
#include "aim/model/dit_options.h"

namespace aim {

struct Dit {
  DitOptions options;
  std::map<std::string, at::Tensor> weights;  // names of spec/wan22.md 2.6 and method.md 3.3
  // Matrix products run in this type (float or bfloat16); norms, modulation, RoPE and the residual
  // stream stay in float32.
  at::ScalarType compute_dtype = at::kFloat;
};

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
  std::vector<at::Tensor> text_key;  // per block [B, heads, L, head_dim], compute dtype
  std::vector<at::Tensor> text_value;
  std::vector<at::Tensor> camera;  // per block [B, N, dim], compute dtype; empty without cameras
};

//   text    [B, L, text_dim]    features, zeros past each prompt's end (attended, as released)
//   camera  [B, F, P, features] one vector a latent frame (P = 1) or a token (P = tokens a frame);
//                               undefined if camera.mode is none
// Throws InputError with the tensor, its shape and the one expected.
DitContext PrepareContext(const Dit& dit, const CanvasLayout& layout, const at::Tensor& text,
                          const at::Tensor& camera);

// One pass of the network: what the head predicts for every latent voxel.
//
//   latents   [B, C, F, h, w]  canvas at the noise level of `timestep`, float32
//   timestep  [B, G] float32 in [0, 1000]; group g holds the g-th of G equal runs of tokens:
//             G = 1 one for all, G = F one a latent frame, G = N one a token
//   returns   [B, C, F, h, w]  float32: velocity (noise - clean) or clean, as options.prediction says
//
// N = F * (h / patch) * (w / patch), ordered F, h, w. Differentiable in latents and weights; not
// random. Formulas: spec/wan22.md 2.2 to 2.5, method.md 3.3.
at::Tensor ForwardDit(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                      const DitContext& context);

// Name and shape of every weight the options ask for.
std::map<std::string, std::vector<int64_t>> DitWeightShapes(const DitOptions& options);

// Fresh weights: truncated-free normals of variance 1 / fan-in; output projections, head and camera
// encoders zero; modulation so that gates start at 1. Deterministic in `rng`.
std::map<std::string, at::Tensor> InitialDitWeights(const DitOptions& options, const Rng& rng);

}  // namespace aim
