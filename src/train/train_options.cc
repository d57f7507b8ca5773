#include "aim/train/train_options.h"

namespace aim {

void TrainRunOptions::Validate() const {
  CheckRanges(*this);
  dit.Validate();
  autoencoder.Validate();
  if (train.mix.Names().empty())
    throw ConfigError({"train.mix", "zero for every mode", "at least one mode above 0", ""});
}

}  // namespace aim
