// How a model is run so that a plan takes no longer than it may.
#pragma once

#include <functional>
#include <string>

#include "aim/policy/clip_generator.h"

namespace aim {

struct PlanSettings {
  std::string mode;
  int steps = 1;
  StepCacheKind cache = StepCacheKind::kNone;
};

// "i2a, 4 steps, cache first_block".
std::string ToWords(const PlanSettings& settings);
// The settings that have these words. Throws InputError if none do.
PlanSettings PlanSettingsFromWords(const std::string& words);

// Milliseconds of a plan.
using PlanCost = std::function<double(const PlanSettings& settings)>;

// The settings nearest to those `asked` for whose plans take at most `budget_ms`: as asked; else
// with the first_block cache where there are steps enough for one; else with as many fewer steps
// as it takes; else (`can_act_alone`) the same in mode i2a, which makes no video. Costs rise with
// steps. Throws ConfigError that says what the cheapest costs.
PlanSettings FitBudget(const PlanSettings& asked, bool can_act_alone, double budget_ms,
                       const PlanCost& cost);

// What a plan of `generator` costs here and now: the median of several, from grey pictures.
double MeasurePlanMs(const ClipGenerator& generator);

// `generator` with the settings that fit, which the log names: those of `settled`, if it is not
// empty, and else of what plans take.
ClipGenerator WithinBudget(const ClipGenerator& generator, double budget_ms,
                           const std::string& settled);

}  // namespace aim
