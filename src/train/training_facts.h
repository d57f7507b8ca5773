// What a run trains, on what and how, in words.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "aim/train/train_options.h"
#include "train/training_setup.h"

namespace aim {

// A list of {"name", "value"}, all text.
nlohmann::json TrainingFacts(const TrainRunOptions& options, const RunContext& run,
                             const TrainingSetup& setup);

}  // namespace aim
