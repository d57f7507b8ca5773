// Which model a tool generates with, and how.
#pragma once

#include <string>

#include "aim/base/options.h"

namespace aim {

struct ModelOptions {
  std::string model;
  int steps = 0;
  double guidance = 0;
  bool allow_untrained = false;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("model", self.model, Any{}, "folder of the model bundle");
    visit("steps", self.steps, Range{0, 1000},
          "denoising steps, time is linear in them; 0 = the model's default");
    visit("guidance", self.guidance, Range{0, 30},
          "classifier-free weight of the text; 1 = off, 0 = the model's default");
    visit("allow_untrained", self.allow_untrained, Any{},
          "run a mode that the model was not trained for");
  }
  void Validate() const;  // throws ConfigError
};

}  // namespace aim
