// aim-train: from data sets to a model bundle.
#pragma once

#include <filesystem>
#include <ostream>

#include "aim/base/run_context.h"
#include "aim/train/train_options.h"

namespace aim {

struct TrainReport {
  int64_t train_step = 0;
  double loss = 0;  // mean of the last logged steps
  double samples_per_s = 0;
  std::filesystem::path bundle;
};

std::ostream& operator<<(std::ostream& out, const TrainReport& report);  // one JSON object

// Trains and leaves in run.out(): metrics.jsonl (loss, gradient norm, rate, samples/s; validation
// of every mode in mm, degrees and dB), checkpoints/step_00000123/ (atomic, the newest few), cache/
// (encoded clips), autoencoder.safetensors and, at the end, bundle/. With run.common().resume it
// goes on from the newest checkpoint and gives, on the CPU, the same bits as a run that was never
// interrupted.
TrainReport RunTrain(const TrainRunOptions& options, RunContext& run);

}  // namespace aim
