#include "aim/base/error.h"
#include "aim/eval/rollout.h"

namespace aim {

PolicyKind RolloutOptions::Kind() const {
  if (policy.starts_with("ws://")) return PolicyKind::kServer;
  return FromWord<PolicyKind>(policy, "policy");
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
  if (Kind() == PolicyKind::kModel && model.model.empty()) {
    throw ConfigError({.where = "--model",
                       .got = "not given",
                       .expected = "the folder of a model bundle",
                       .fix = "give one, or choose --policy replay, null, still or a server"});
  }
}

}  // namespace aim
