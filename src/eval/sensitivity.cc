#include "eval/sensitivity.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr const char* kAll = "all";
constexpr int kUsualReplan = 8;
constexpr int kUsualRamp = 4;
constexpr int kUsualHold = 8;

const std::vector<std::string>& Knobs() {
  static const std::vector<std::string> knobs = {
      "replan", "ramp_frames",      "hold_steps",    "max_ik_failures",
      "async",  "max_steps_factor", "min_confidence"};
  return knobs;
}

std::string Assignment(const std::string& key, double value) { return key + "=" + ToText(value); }

// Values to both sides where there are two. A knob that nothing depends on is left out: the hold
// with replanning, the budget without.
std::vector<std::string> UsualVariants(const RolloutOptions& options) {
  std::vector<std::string> variants;
  const int replan = options.replan;
  if (replan == 0) {
    variants.push_back(Assignment("replan", kUsualReplan));
  } else {
    const int half = replan / 2;
    if (half >= std::max(1, options.async)) variants.push_back(Assignment("replan", half));
    variants.push_back(Assignment("replan", 2 * replan));
  }
  variants.push_back(Assignment("ramp_frames", options.ramp_frames == 0 ? kUsualRamp : 0));
  if (replan == 0 && options.hold_steps > 0) variants.push_back(Assignment("hold_steps", 0));
  if (replan == 0) {
    variants.push_back(
        Assignment("hold_steps", options.hold_steps > 0 ? 2 * options.hold_steps : kUsualHold));
  }
  if (options.max_ik_failures > 1) {
    const int half = options.max_ik_failures / 2;
    variants.push_back(Assignment("max_ik_failures", half));
  }
  variants.push_back(Assignment("max_ik_failures", 4 * options.max_ik_failures));
  if (replan > 0) {
    variants.push_back(Assignment("max_steps_factor", options.max_steps_factor * 2 / 3));
    variants.push_back(Assignment("max_steps_factor", options.max_steps_factor * 4 / 3));
  }
  return variants;
}

void CheckVariant(const RolloutOptions& options, const std::string& variant) {
  const size_t equals = variant.find('=');
  const std::string key = variant.substr(0, equals);
  const std::vector<std::string>& knobs = Knobs();
  if (equals == std::string::npos || std::find(knobs.begin(), knobs.end(), key) == knobs.end()) {
    throw ConfigError({.where = "--sensitivity",
                       .got = '"' + variant + '"',
                       .expected = "all, or KEY=VALUE with a key of " + Join(knobs),
                       .fix = DidYouMean(key, knobs)});
  }
  const RolloutOptions changed = OptionsOfVariant(options, variant);
  changed.Validate();
  if (OptionsToJson(changed) == OptionsToJson(options)) {
    throw ConfigError({.where = "--sensitivity",
                       .got = '"' + variant + "\", the rollout's own value",
                       .expected = "another one",
                       .fix = ""});
  }
}

}  // namespace

std::vector<std::string> SensitivityVariants(const RolloutOptions& options) {
  std::vector<std::string> variants;
  for (const std::string& asked : options.sensitivity) {
    const std::vector<std::string> meant =
        asked == kAll ? UsualVariants(options) : std::vector<std::string>{asked};
    for (const std::string& variant : meant) {
      CheckVariant(options, variant);
      if (std::find(variants.begin(), variants.end(), variant) == variants.end()) {
        variants.push_back(variant);
      }
    }
  }
  return variants;
}

RolloutOptions OptionsOfVariant(const RolloutOptions& options, const std::string& variant) {
  RolloutOptions changed = options;
  if (variant.empty()) return changed;
  const size_t equals = variant.find('=');
  SetOptionText(changed, variant.substr(0, equals), variant.substr(equals + 1), "--sensitivity");
  return changed;
}

}  // namespace aim
