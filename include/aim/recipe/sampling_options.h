// How a canvas is denoised: what belongs to a model, and what is chosen for a run.
#pragma once

#include "aim/base/options.h"

namespace aim {

enum class SamplerKind { kEuler, kUnipc };
constexpr auto WordsOf(SamplerKind) {
  return WordTable<SamplerKind, 2>{
      {{SamplerKind::kEuler, "euler"}, {SamplerKind::kUnipc, "unipc"}}};
}

// How the network is shown its timesteps; kAuto: none for euler, trunc for unipc.
enum class TimestepRounding { kAuto, kNone, kBf16, kTrunc };
constexpr auto WordsOf(TimestepRounding) {
  using enum TimestepRounding;
  return WordTable<TimestepRounding, 4>{
      {{kAuto, "auto"}, {kNone, "none"}, {kBf16, "bf16"}, {kTrunc, "trunc"}}};
}

// Noise levels of the steps (diffusion/scheduler.h); kAuto: full for euler, official for unipc.
enum class SigmaGrid { kAuto, kFull, kOfficial, kDiffusers };
constexpr auto WordsOf(SigmaGrid) {
  using enum SigmaGrid;
  return WordTable<SigmaGrid, 4>{
      {{kAuto, "auto"}, {kFull, "full"}, {kOfficial, "official"}, {kDiffusers, "diffusers"}}};
}

// How the levels of Diffusers' Euler class lie between its first and its last.
enum class SigmaSpacing { kShifted, kKarras, kExponential };
constexpr auto WordsOf(SigmaSpacing) {
  using enum SigmaSpacing;
  return WordTable<SigmaSpacing, 3>{
      {{kShifted, "shifted"}, {kKarras, "karras"}, {kExponential, "exponential"}}};
}

// How a model is sampled. A bundle holds it (section `diffusion` of model.toml).
struct SamplingOptions {
  int steps = 4;
  double guidance = 1.0;
  double shift = 30.0;
  SamplerKind sampler = SamplerKind::kEuler;
  TimestepRounding timestep_rounding = TimestepRounding::kNone;
  SigmaGrid sigma_grid = SigmaGrid::kAuto;
  SigmaSpacing sigma_spacing = SigmaSpacing::kShifted;
  double sigma_terminal = 0.0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("steps", self.steps, Range{1, 1000}, "denoising steps; time is linear in it");
    visit("guidance", self.guidance, Range{1, 30}, "classifier-free weight of the text; 1 = off");
    visit("shift", self.shift, Range{0.01, 1000},
          "timestep shift of the schedule: above 1 more denoising happens at high noise");
    visit("sampler", self.sampler, Any{}, "how steps are taken");
    visit("timestep_rounding", self.timestep_rounding, Any{},
          "how the network is shown its timesteps");
    visit("sigma_grid", self.sigma_grid, Any{},
          "noise levels of the steps; auto: full for euler, official for unipc");
    visit("sigma_spacing", self.sigma_spacing, Any{},
          "of euler's diffusers grid: how its levels lie between the first and the last");
    visit("sigma_terminal", self.sigma_terminal, Range{0, 0.999},
          "of euler's diffusers grid: level of its last step; 0 = where the shift leads");
  }
  void Validate() const;  // throws ConfigError
};

enum class GuidanceMode { kAuto, kSequential, kBatched };
constexpr auto WordsOf(GuidanceMode) {
  using enum GuidanceMode;
  return WordTable<GuidanceMode, 3>{
      {{kAuto, "auto"}, {kSequential, "sequential"}, {kBatched, "batched"}}};
}

enum class StepCacheKind { kNone, kCosine, kCosineMasked, kFirstBlock };
constexpr auto WordsOf(StepCacheKind) {
  using enum StepCacheKind;
  return WordTable<StepCacheKind, 4>{{{kNone, "none"},
                                      {kCosine, "cosine"},
                                      {kCosineMasked, "cosine_masked"},
                                      {kFirstBlock, "first_block"}}};
}

enum class NoiseKind { kAim, kTorch };
constexpr auto WordsOf(NoiseKind) {
  return WordTable<NoiseKind, 2>{{{NoiseKind::kAim, "aim"}, {NoiseKind::kTorch, "torch"}}};
}

// Which passes of the network a generation makes, and from which noise it starts: what is chosen
// for a run, whatever the model.
struct PassOptions {
  GuidanceMode guidance_mode = GuidanceMode::kAuto;
  double guidance_sigma_min = 0.0;
  double guidance_sigma_max = 1.0;
  StepCacheKind cache = StepCacheKind::kNone;
  double cache_threshold = 0.1;
  NoiseKind noise = NoiseKind::kAim;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("guidance_mode", self.guidance_mode, Any{},
          "the two passes of guidance one after the other, or as one batch: twice the memory; "
          "auto: one batch if the free memory suffices and one pass does not fill the device");
    visit("guidance_sigma_min", self.guidance_sigma_min, Range{0, 1},
          "no guidance, and one pass, at noise levels below");
    visit("guidance_sigma_max", self.guidance_sigma_max, Range{0, 1},
          "no guidance, and one pass, at noise levels above");
    visit("cache", self.cache, Any{},
          "leave out passes that would change little: by the release's rule, by the same over what "
          "is generated, or block by block");
    visit("cache_threshold", self.cache_threshold, Range{0, 10},
          "first_block: relative change below which the other blocks are left out");
    visit("noise", self.noise, Any{},
          "aim: the same on every machine; torch: what PyTorch's CPU generator gives for the seed");
  }
  void Validate() const;  // throws ConfigError
};

// Both: all that a sampler reads.
struct SamplerOptions {
  SamplingOptions sampling = {};
  PassOptions passes = {};

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    SamplingOptions::ForEachField(self.sampling, visit);
    PassOptions::ForEachField(self.passes, visit);
  }
  void Validate() const;  // throws ConfigError
};

}  // namespace aim
