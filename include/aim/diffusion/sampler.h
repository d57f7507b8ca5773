// Denoises a canvas: what the model generates for the latents that are not given.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "aim/base/rng.h"
#include "aim/diffusion/canvas.h"

namespace aim {

struct SamplerOptions {
  int steps = 4;
  double guidance = 1.0;
  double shift = 30.0;
  std::string sampler = "euler";
  std::string timestep_rounding = "none";
  std::string sigma_grid = "auto";
  std::string guidance_mode = "auto";
  double guidance_sigma_min = 0.0;
  double guidance_sigma_max = 1.0;
  std::string cache = "none";
  double cache_threshold = 0.1;
  std::string noise = "aim";

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("steps", self.steps, Range{1, 1000}, "denoising steps; time is linear in it");
    visit("guidance", self.guidance, Range{1, 30}, "classifier-free weight of the text; 1 = off");
    visit("shift", self.shift, Range{0.01, 1000}, "timestep shift of the schedule");
    visit("sampler", self.sampler, Limits{"euler", "unipc"}, "how steps are taken");
    visit("timestep_rounding", self.timestep_rounding, Limits{"auto", "none", "bf16", "trunc"},
          "how the network is shown its timesteps");
    visit("sigma_grid", self.sigma_grid, Limits{"auto", "full", "official", "diffusers"},
          "noise levels of the steps; auto: full for euler, official for unipc");
    visit("guidance_mode", self.guidance_mode, Limits{"auto", "sequential", "batched"},
          "the two passes of guidance one after the other, or as one batch: twice the memory; "
          "auto: one batch if the memory that is free suffices");
    visit("guidance_sigma_min", self.guidance_sigma_min, Range{0, 1},
          "no guidance, and one pass, at noise levels below");
    visit("guidance_sigma_max", self.guidance_sigma_max, Range{0, 1},
          "no guidance, and one pass, at noise levels above");
    visit("cache", self.cache, Limits{"none", "cosine", "cosine_masked", "first_block"},
          "leaves out passes that would change little: by the release's rule, by the same over "
          "what is generated, or block by block");
    visit("cache_threshold", self.cache_threshold, Range{0, 10},
          "first_block: relative change below which the other blocks are left out");
    visit("noise", self.noise, Limits{"aim", "torch"},
          "aim: the same on every machine; torch: what PyTorch's CPU generator gives for the seed");
  }
  void Validate() const;  // throws ConfigError
};

// What a canvas is denoised under. Cameras and text as in PrepareContext.
struct Conditions {
  at::Tensor text;       // [B, L, D]
  at::Tensor null_text;  // [B, L, D] of the empty prompt; read only with guidance > 1
  at::Tensor camera;     // [B, F, P, K] or undefined
};

// Steps from noise to clean. Given frames of `canvas` keep their values bit for bit. With a cache
// the clips of a batch go one after the other, so that none depends on another; the first and the
// last step of cosine_masked and first_block are whole. options.noise is not read: `noise` is it.
// guidance_mode auto decides once, before the first step, by guidance_memory.h; what is generated
// differs by rounding only.
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
// same version only, and its vectorised logarithms differ between CPUs in the last bits. wan22.md
// 5.4.
at::Tensor TorchNoise(at::IntArrayRef shape, uint64_t seed);

}  // namespace aim
