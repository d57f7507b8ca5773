// The harness's own knobs, turned one at a time.
#pragma once

#include <string>
#include <vector>

#include "aim/eval/rollout.h"

namespace aim {

// The variants that options.sensitivity asks for, KEY=VALUE, each once; "all" stands for the usual
// values of every knob. Throws ConfigError for what is no knob, or no value of it beside the
// rollout's other options.
std::vector<std::string> SensitivityVariants(const RolloutOptions& options);

// The rollout's options with one knob turned; "" leaves them as they are.
RolloutOptions OptionsOfVariant(const RolloutOptions& options, const std::string& variant);

}  // namespace aim
