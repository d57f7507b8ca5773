#include "aim/train/train_options.h"

#include <set>

#include "aim/train/data_mixes.h"

namespace aim {

void RequireBest(const TrainOptions& options, bool has_validation) {
  if (options.ship != Shipped::kBest || has_validation) return;
  throw ConfigError({.where = "train.ship",
                     .got = "best",
                     .expected = "last, as no episode is kept to validate on",
                     .fix = "set train.validation_episodes above 0"});
}

void TrainRunOptions::Validate() const {
  CheckRanges(*this);
  dit.Validate();
  autoencoder.Validate();
  const DataMixes mixes(train);  // throws for a text that is none
  if (train.mix.empty())
    throw ConfigError({"train.mix", "zero for every mode", "at least one mode above 0", ""});
  const std::set<double> decays(train.more_ema.begin(), train.more_ema.end());
  if (decays.size() < train.more_ema.size() || decays.contains(train.ema)) {
    throw ConfigError({.where = "train.more_ema",
                       .got = "a decay twice, or that of train.ema",
                       .expected = "each decay once",
                       .fix = ""});
  }
  if (train.zero > 0 && !train.more_ema.empty()) {
    throw ConfigError({.where = "train.more_ema",
                       .got = "given with train.zero = " + std::to_string(train.zero),
                       .expected = "none where ranks divide the averages",
                       .fix = "leave it out, or train.zero at 0"});
  }
  RequireBest(train, train.validation_episodes != 0);
  if (train.lora.rank > 0 && init.empty()) {
    throw ConfigError({.where = "train.lora.rank",
                       .got = std::to_string(train.lora.rank),
                       .expected = "0 without --init: an adapter changes a network that is trained",
                       .fix = "add --init BUNDLE"});
  }
}

}  // namespace aim
