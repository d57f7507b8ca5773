#include "aim/base/error.h"
#include "aim/eval/rollout.h"

namespace aim {

PolicyKind RolloutOptions::Kind() const {
  if (policy.starts_with("ws://")) return PolicyKind::kServer;
  return FromWord<PolicyKind>(policy, "policy");
}

void RolloutOptions::ValidateImagination() const {
  if (!IsImagined()) {
    if (imagination.scene_data.empty() && imagination.env_model.empty()) return;
    throw ConfigError({.where = imagination.scene_data.empty() ? "--env-model" : "--scene-data",
                       .got = "given with --env " + simulator.env,
                       .expected = "--env model, which imagines the scenes of recorded data",
                       .fix = ""});
  }
  if (imagination.scene_data.empty()) {
    throw ConfigError({.where = "--scene-data",
                       .got = "not given",
                       .expected = "the data set whose episodes' first frames are the scenes",
                       .fix = ""});
  }
  if (imagination.env_model.empty() && model.model.empty()) {
    throw ConfigError({.where = "--env-model",
                       .got = "not given",
                       .expected = "the bundle that imagines, or --model that acts and imagines",
                       .fix = ""});
  }
  if (!compare.empty() || !sensitivity.empty()) {
    throw ConfigError({.where = compare.empty() ? "--sensitivity" : "--compare",
                       .got = "given with --env model",
                       .expected = "a simulator: what is imagined is neither success nor failure",
                       .fix = ""});
  }
}

void RolloutOptions::Validate() const {
  CheckRanges(*this);
  limits.Validate();
  if (async > replan) {
    throw ConfigError({.where = "async",
                       .got = std::to_string(async) + " with --replan " + std::to_string(replan),
                       .expected = "at most --replan: one plan is made at a time, and there is "
                                   "nothing to execute meanwhile without replanning",
                       .fix = "raise --replan"});
  }
  if (!api_key_file.empty() && Kind() != PolicyKind::kServer) {
    throw ConfigError({.where = "api_key_file",
                       .got = "given with --policy " + policy,
                       .expected = "--policy ws://HOST:PORT, whose server asks for it",
                       .fix = ""});
  }
  ValidateImagination();
  if (Kind() == PolicyKind::kModel && model.model.empty()) {
    throw ConfigError({.where = "--model",
                       .got = "not given",
                       .expected = "the folder of a model bundle",
                       .fix = "give one, or choose --policy replay, null, still or a server"});
  }
}

}  // namespace aim
