#include "aim/recipe/sampling_options.h"

namespace aim {

void PassOptions::Validate() const {
  CheckRanges(*this);
  if (guidance_sigma_min <= guidance_sigma_max) return;
  throw ConfigError({.where = "guidance_sigma_min",
                     .got = ToText(guidance_sigma_min),
                     .expected = "at most guidance_sigma_max = " + ToText(guidance_sigma_max),
                     .fix = "set guidance = 1 to switch guidance off"});
}

void SamplerOptions::Validate() const {
  CheckRanges(*this);
  passes.Validate();
}

}  // namespace aim
