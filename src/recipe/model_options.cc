#include "aim/recipe/model_options.h"

namespace aim {

void ModelOptions::Validate() const {
  CheckRanges(*this);
  if (!model.empty()) return;
  throw ConfigError({.where = "--model",
                     .got = "not given",
                     .expected = "the folder of a model bundle",
                     .fix = "add --model BUNDLE"});
}

}  // namespace aim
