#include "aim/train/train_options.h"

#include "aim/train/data_mixes.h"

namespace aim {

void TrainRunOptions::Validate() const {
  CheckRanges(*this);
  dit.Validate();
  autoencoder.Validate();
  DataMixes{train};  // throws for a text that is none
  if (train.mix.empty())
    throw ConfigError({"train.mix", "zero for every mode", "at least one mode above 0", ""});
  if (train.lora.rank > 0 && init.empty()) {
    throw ConfigError({.where = "train.lora.rank",
                       .got = std::to_string(train.lora.rank),
                       .expected = "0 without --init: an adapter changes a network that is trained",
                       .fix = "add --init BUNDLE"});
  }
}

}  // namespace aim
