// Denoises a canvas: what the model generates for the latents that are not given.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "aim/base/rng.h"
#include "aim/diffusion/canvas.h"
#include "aim/recipe/sampling_options.h"

namespace aim {

// What a canvas is denoised under. Cameras and text as in PrepareContext.
struct Conditions {
  at::Tensor text;       // [B, L, D]
  at::Tensor null_text;  // [B, L, D] of the empty prompt; read only with guidance > 1
  at::Tensor camera;     // [B, F, P, K] or undefined
};

// Steps from noise to clean. Given frames of `canvas` keep their values bit for bit. With a cache
// the clips of a batch go one after the other, so that none depends on another; the first and the
// last step of cosine_masked and first_block are whole. options.passes.noise is not read: `noise`
// is it. guidance_mode auto decides once, before the first step, by guidance_memory.h; what is
// generated differs by rounding only.
//
//   canvas   [B, C, F, h, w]  clean where plan.given, ignored elsewhere
//   noise    [B, C, F, h, w]  standard normal
//   returns  [B, C, F, h, w]
at::Tensor Denoise(const Dit& dit, const CanvasPlan& plan, const at::Tensor& canvas,
                   const at::Tensor& noise, const Conditions& conditions,
                   const SamplerOptions& options);

// Standard normal numbers of the given shape, float32, the same on every machine.
at::Tensor NormalNoise(at::IntArrayRef shape, Rng& rng);

// torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)), float32: the noise that
// DiffSynth and Diffusers pipelines start from when they are given that generator. Elements come in
// the order of the shape; a leading 1 changes nothing. PyTorch promises the same numbers for the
// same version only, and its vectorised logarithms differ between CPUs in the last bits.
// docs/reference/wan22.md 5.4.
at::Tensor TorchNoise(at::IntArrayRef shape, uint64_t seed);

}  // namespace aim
