#include "aim/recipe/sampling_options.h"

namespace aim {

void SamplingOptions::Validate() const {
  CheckRanges(*this);
  if (sampler == SamplerKind::kEuler && sigma_grid == SigmaGrid::kDiffusers) return;
  const std::string expected = "of sampler euler with sigma_grid diffusers alone";
  if (sigma_spacing != SigmaSpacing::kShifted) {
    throw ConfigError({.where = "sigma_spacing",
                       .got = ToWord(sigma_spacing),
                       .expected = "shifted; others are " + expected,
                       .fix = ""});
  }
  if (sigma_terminal > 0) {
    throw ConfigError({.where = "sigma_terminal",
                       .got = ToText(sigma_terminal),
                       .expected = "0; others are " + expected,
                       .fix = ""});
  }
}

void PassOptions::Validate() const {
  CheckRanges(*this);
  if (guidance_sigma_min <= guidance_sigma_max) return;
  throw ConfigError({.where = "guidance_sigma_min",
                     .got = ToText(guidance_sigma_min),
                     .expected = "at most guidance_sigma_max = " + ToText(guidance_sigma_max),
                     .fix = "set guidance = 1 to switch guidance off"});
}

void SamplerOptions::Validate() const {
  sampling.Validate();
  passes.Validate();
}

}  // namespace aim
