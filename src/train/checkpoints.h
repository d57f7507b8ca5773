// The folder of a run's checkpoints.
#pragma once

#include <filesystem>

#include "aim/base/run_context.h"
#include "aim/train/trainer.h"

namespace aim {

// out/checkpoints/step_00000123, whole or absent; the newest `keep` stay. Other ranks than 0, which
// calls it, take part in SaveDivided where the trainer is divided.
void SaveCheckpoint(const Trainer& trainer, const std::filesystem::path& out, int keep, Comm& comm);

// With --resume the newest checkpoint of run.out() is loaded, if there is one. Says in the log
// where the run goes on, `num_steps` being its end.
void Resume(Trainer& trainer, int64_t num_steps, const RunContext& run);

}  // namespace aim
