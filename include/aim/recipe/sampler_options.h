// How a canvas is denoised.
#pragma once

#include <string>

#include "aim/base/options.h"
#include "aim/recipe/pass_options.h"

namespace aim {

struct SamplerOptions {
  int steps = 4;
  double guidance = 1.0;
  double shift = 30.0;
  std::string sampler = "euler";
  std::string timestep_rounding = "none";
  std::string sigma_grid = "auto";
  PassOptions passes = {};

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
    PassOptions::ForEachField(self.passes, visit);
  }
  void Validate() const;  // throws ConfigError
};

}  // namespace aim
