// aim-train --dry-run: what a run would train, take and last, without keeping anything.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <ostream>

#include "aim/base/run_context.h"
#include "aim/train/train_options.h"
#include "aim/train/training_memory.h"

namespace aim {

struct DryRunReport {
  TrainingMemory memory = {};
  int64_t peak_bytes = 0;    // PeakBytes, the three steps and their activations included
  int64_t steps = 0;         // of the whole run
  int64_t num_episodes = 0;  // to train on
  int64_t num_clips = 0;     // of them, about
  int64_t cache_bytes = 0;   // of all of their clips, about
  double encode_s = 0;       // of all episodes, about
  double step_s = 0;         // the fastest of three
  double steps_s = 0;        // of all steps
};

nlohmann::json ToJson(const DryRunReport& report);
std::ostream& operator<<(std::ostream& out, const DryRunReport& report);

// Reads a few episodes, encodes them in a temporary folder, takes three steps of the run's batch
// and removes what was made. With a finished cache in options.clips.dir, and no data, that is used.
// run.out() is not touched. Throws what RunTrain does before its first step, and ConfigError under
// a launcher of several ranks.
DryRunReport RunDryTraining(const TrainRunOptions& options, RunContext& run);

}  // namespace aim
