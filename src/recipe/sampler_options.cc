#include "aim/recipe/sampler_options.h"

namespace aim {

void SamplerOptions::Validate() const {
  CheckRanges(*this);
  passes.Validate();
}

}  // namespace aim
