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

std::string KnobOf(const std::string& variant) { return variant.substr(0, variant.find('=')); }

bool IsReference(PolicyKind kind) {
  return kind != PolicyKind::kModel && kind != PolicyKind::kServer;
}

// Whether a rollout with these options may come out otherwise when the knob is turned. References
// begin where the robot is, need no time to plan and are sure of themselves; a whole plan always
// fits the budget, and nothing is held behind replanning.
bool DependsOn(const RolloutOptions& options, const std::string& knob) {
  if (knob == "ramp_frames" || knob == "async" || knob == "min_confidence") {
    return !IsReference(options.Kind());
  }
  if (knob == "hold_steps") return options.replan == 0;
  if (knob == "max_steps_factor") return options.replan > 0;
  return true;
}

// Values to both sides where there are two. A knob that nothing depends on is left out.
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
  if (DependsOn(options, "ramp_frames")) {
    variants.push_back(Assignment("ramp_frames", options.ramp_frames == 0 ? kUsualRamp : 0));
  }
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

// The variant in its one spelling: what is played twice would be tested twice.
std::string CheckedVariant(const RolloutOptions& options, const std::string& variant) {
  const std::string key = KnobOf(variant);
  const std::vector<std::string>& knobs = Knobs();
  const bool is_knob = std::find(knobs.begin(), knobs.end(), key) != knobs.end();
  if (!is_knob || key == variant) {
    throw ConfigError({.where = "--sensitivity",
                       .got = '"' + variant + '"',
                       .expected = "all, or KEY=VALUE with a key of " + Join(knobs),
                       .fix = is_knob ? "give it a value" : DidYouMean(key, knobs)});
  }
  if (!DependsOn(options, key)) {
    throw ConfigError({.where = "--sensitivity",
                       .got = '"' + variant + "\" with --policy " + options.policy +
                              " and --replan " + std::to_string(options.replan),
                       .expected = "a knob that such a rollout depends on",
                       .fix = "references know no async, ramp_frames and min_confidence, whole "
                              "plans no max_steps_factor, replanning no hold_steps"});
  }
  const RolloutOptions changed = OptionsOfVariant(options, variant);
  changed.Validate();
  if (OptionsToJson(changed) == OptionsToJson(options)) {
    throw ConfigError({.where = "--sensitivity",
                       .got = '"' + variant + "\", the rollout's own value",
                       .expected = "another one",
                       .fix = ""});
  }
  return Assignment(key, OptionsToJson(changed).at(key).get<double>());
}

}  // namespace

std::vector<std::string> SensitivityVariants(const RolloutOptions& options) {
  std::vector<std::string> variants;
  for (const std::string& asked : options.sensitivity) {
    const std::vector<std::string> meant =
        asked == kAll ? UsualVariants(options) : std::vector<std::string>{asked};
    for (const std::string& spelled : meant) {
      const std::string variant = CheckedVariant(options, spelled);
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
  const std::string knob = KnobOf(variant);
  SetOptionText(changed, knob, variant.substr(knob.size() + 1), "--sensitivity");
  return changed;
}

}  // namespace aim
