// The folder of a run's checkpoints.
#pragma once

#include <filesystem>

#include "aim/base/run_context.h"
#include "aim/train/trainer.h"

namespace aim {

// out/checkpoints/step_00000123, whole or absent; the newest `keep` stay.
void SaveCheckpoint(const Trainer& trainer, const std::filesystem::path& out, int keep);

// With --resume the newest checkpoint of run.out() is loaded, if there is one. Says in the log
// where the run goes on, `num_steps` being its end.
void Resume(Trainer& trainer, int64_t num_steps, const RunContext& run);

}  // namespace aim
