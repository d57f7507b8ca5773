// Which passes of the network a generation makes, and from which noise it starts: what is chosen
// for a run, whatever the model.
#pragma once

#include <string>

#include "aim/base/options.h"

namespace aim {

struct PassOptions {
  std::string guidance_mode = "auto";
  double guidance_sigma_min = 0.0;
  double guidance_sigma_max = 1.0;
  std::string cache = "none";
  double cache_threshold = 0.1;
  std::string noise = "aim";

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("guidance_mode", self.guidance_mode, Limits{"auto", "sequential", "batched"},
          "the two passes of guidance one after the other, or as one batch: twice the memory; "
          "auto: one batch if the memory that is free suffices");
    visit("guidance_sigma_min", self.guidance_sigma_min, Range{0, 1},
          "no guidance, and one pass, at noise levels below");
    visit("guidance_sigma_max", self.guidance_sigma_max, Range{0, 1},
          "no guidance, and one pass, at noise levels above");
    visit("cache", self.cache, Limits{"none", "cosine", "cosine_masked", "first_block"},
          "leave out passes that would change little: by the release's rule, by the same over what "
          "is generated, or block by block");
    visit("cache_threshold", self.cache_threshold, Range{0, 10},
          "first_block: relative change below which the other blocks are left out");
    visit("noise", self.noise, Limits{"aim", "torch"},
          "aim: the same on every machine; torch: what PyTorch's CPU generator gives for the seed");
  }
  void Validate() const;  // throws ConfigError
};

}  // namespace aim
