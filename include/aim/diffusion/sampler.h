// Denoises a canvas: what the model generates for the latents that are not given.
#pragma once

#include <ATen/core/Tensor.h>

#include "aim/base/rng.h"
#include "aim/diffusion/canvas.h"

namespace aim {

struct SamplerOptions {
  int steps = 4;
  double guidance = 1.0;
  double shift = 30.0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("steps", self.steps, Range{1, 1000}, "denoising steps; time is linear in it");
    visit("guidance", self.guidance, Range{1, 30}, "classifier-free weight of the text; 1 = off");
    visit("shift", self.shift, Range{0.01, 1000}, "timestep shift of the schedule");
  }
};

// What a canvas is denoised under. Cameras and text as in PrepareContext.
struct Conditions {
  at::Tensor text;       // [B, L, D]
  at::Tensor null_text;  // [B, L, D] of the empty prompt; read only with guidance > 1
  at::Tensor camera;     // [B, F, P, K] or undefined
};

// Euler steps from noise to clean. Given frames of `canvas` keep their values bit for bit.
//
//   canvas   [B, C, F, h, w]  clean where plan.given, ignored elsewhere
//   noise    [B, C, F, h, w]  standard normal
//   returns  [B, C, F, h, w]
at::Tensor Denoise(const Dit& dit, const CanvasPlan& plan, const at::Tensor& canvas,
                   const at::Tensor& noise, const Conditions& conditions,
                   const SamplerOptions& options);

// Standard normal numbers of the given shape, the same on every machine.
at::Tensor NormalNoise(at::IntArrayRef shape, Rng& rng);

}  // namespace aim
