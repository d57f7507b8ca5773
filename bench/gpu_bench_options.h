// What gpu_bench measures, and at which size.
#pragma once

#include <cstdint>
#include <string>

#include "aim/base/options.h"
#include "aim/model/dit_fp8.h"
#include "aim/model/wan_vae_options.h"
#include "aim/recipe/sampling_options.h"
#include "random_network.h"

namespace aim {

struct GpuBenchOptions {
  std::string device = "cuda";
  std::string dtype = "bf16";
  int64_t latent_frames = 11;
  int64_t latent_side = 32;
  int64_t text_length = 512;
  int steps = 50;
  int plan_steps = 8;
  bool offload = false;
  // Guidance in the last four of eight steps.
  PassOptions recipe = {
      .guidance_sigma_max = 0.84, .cache = StepCacheKind::kFirstBlock, .cache_threshold = 0.1};
  std::string tensors;
  std::string profile;
  DitOptions dit = ReleasedDit();
  WanVaeOptions vae;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("device", self.device, Any{}, "cpu, cuda or cuda:N");
    visit("dtype", self.dtype, Limits{"bf16", "f32", "fp8"}, "of weights and computation");
    visit("latent_frames", self.latent_frames, Range{1, 1000},
          "of a segment: 1 + (frames - 1) / 4");
    visit("latent_side", self.latent_side, Range{1, 1000}, "of a frame: pixels / 16");
    visit("text_length", self.text_length, Range{1, 10000}, "rows of text features");
    visit("steps", self.steps, Range{1, 1000}, "denoising steps of a sample");
    visit("plan_steps", self.plan_steps, Range{1, 1000}, "denoising steps of an i2a plan");
    visit("offload", self.offload, Any{}, "autoencoder in host memory but while it decodes");
    visit("recipe", self.recipe, Any{}, "");
    visit("tensors", self.tensors, Any{}, "file for weights, inputs and results; empty = none");
    visit("profile", self.profile, Any{},
          "file for a table of kernels instead of times; empty = none");
    visit("dit", self.dit, Any{}, "");
    visit("vae", self.vae, Any{}, "");
  }
  void Validate() const {
    CheckRanges(*this);
    recipe.Validate();
    dit.Validate();
    vae.Validate();
    if (dtype == "fp8") ScaledMatrices(dit);  // the sizes allow it
  }
};

}  // namespace aim
