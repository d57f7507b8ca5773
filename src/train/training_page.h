// The page that shows how a training run goes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/train/train_options.h"
#include "train/run_history.h"
#include "train/sample_strips.h"
#include "train/training_setup.h"

namespace aim {

enum class RunPhase { kRunning, kStopped, kFinished };

// Where the run stands.
struct TrainingState {
  RunPhase phase = RunPhase::kRunning;
  int64_t train_step = 0;
  double start_s = 0;  // since this start of the run began
  std::map<std::string, std::vector<SampleStrip>> samples = {};  // by mode
};

// Self-contained HTML: where the run stands and how long it will take, curves of the loss and of
// every mode's validation, samples, what is trained on what and how. A browser reads it again each
// minute while the run goes on.
std::string TrainingPage(const TrainRunOptions& options, const RunContext& run,
                         const TrainingSetup& setup, const RunHistory& history,
                         const TrainingState& state);

}  // namespace aim
