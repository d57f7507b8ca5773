// Which model a tool generates with, and how.
#pragma once

#include <string>

#include "aim/base/options.h"
#include "aim/recipe/numerics.h"
#include "aim/recipe/sampling_options.h"
#include "aim/recipe/wan_vae_run_options.h"

namespace aim {

// A sampler, or the model's own.
enum class SamplerChoice { kAuto, kEuler, kUnipc };
constexpr auto WordsOf(SamplerChoice) {
  using enum SamplerChoice;
  return WordTable<SamplerChoice, 3>{{{kAuto, "auto"}, {kEuler, "euler"}, {kUnipc, "unipc"}}};
}

struct ModelOptions {
  std::string model;
  std::string adapter;
  int steps = 0;
  double guidance = 0;
  SamplerChoice sampler = SamplerChoice::kAuto;
  PassOptions passes = {};
  ModelDtype dtype = ModelDtype::kAuto;
  Numerics numerics = Numerics::kAccurate;
  bool offload = false;
  std::string text_cache;
  WanVaeRunOptions vae;
  bool allow_untrained = false;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("model", self.model, Any{}, "folder of the model bundle");
    visit("adapter", self.adapter, Any{},
          "adapter (LoRA) to use: one of the bundle's by its name, or a folder or file of PEFT or "
          "Diffusers; none = without; empty = the bundle's own choice");
    visit("steps", self.steps, Range{0, 1000},
          "denoising steps, time is linear in them; 0 = the model's default");
    visit("guidance", self.guidance, Range{0, 30},
          "classifier-free weight of the text; 1 = off, 0 = the model's default");
    visit("sampler", self.sampler, Any{}, "how the noise is taken away; auto: the model's own");
    PassOptions::ForEachField(self.passes, visit);
    visit("dtype", self.dtype, Any{},
          "of weights and matrix products; auto: f32 on the CPU, bf16 on CUDA; fp8: the network's "
          "large products of eight-bit floats, else bf16");
    visit("numerics", self.numerics, Any{},
          "accurate: norms and residuals in f32; trained: rounded as in the release's training");
    visit("offload", self.offload, Any{},
          "keep autoencoder and text encoder out of memory while the network runs");
    visit("text_cache", self.text_cache, Any{},
          "folder that keeps what the text encoder makes of each prompt");
    visit("vae", self.vae, Any{}, "");
    visit("allow_untrained", self.allow_untrained, Any{},
          "run a mode that the model was not trained for");
  }
  void Validate() const;  // throws ConfigError
};

}  // namespace aim
