// The folder of a run's checkpoints.
#pragma once

#include <filesystem>
#include <future>
#include <optional>

#include "aim/base/run_context.h"
#include "aim/train/trainer.h"

namespace aim {

// out/checkpoints/step_00000123, whole or absent; the newest `keep` stay, and the best. One is
// written at a time, by a thread from a copy of the state if options.async_save, so that the steps
// after it go on. A thread that fails (a full disk) leaves the checkpoints before it as they are;
// what it threw, IoError, is thrown again by the next call of any function.
class CheckpointWriter {
 public:
  // Removes what a killed run left half-written.
  CheckpointWriter(const std::filesystem::path& out, const TrainOptions& options);
  ~CheckpointWriter();  // waits
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Waits for the one before it; nothing to do if the step was the last to be saved.
  void Save(const Trainer& trainer);
  // Of a trainer that is divided, with all ranks at once: written when it returns.
  void SaveDivided(const Trainer& trainer, Comm& comm);
  bool HasSaved(int64_t train_step);  // whether that was the last
  // The checkpoint of that step stays, whatever `keep` says, until it is another.
  void KeepBest(int64_t train_step) { best_step_ = train_step; }

  void ThrowIfFailed();  // does not wait
  void Wait();

 private:
  void Write(const TrainerState& state, std::optional<int64_t> best_step);
  // One is written: older ones go.
  void Settle(int64_t train_step, std::optional<int64_t> best_step);

  std::filesystem::path folder_;
  int keep_;
  bool is_async_;
  std::optional<int64_t> saved_step_;  // the thread's while it writes, as copy_ is
  std::optional<int64_t> best_step_;
  TrainerState copy_;
  std::future<void> writing_;
};

// With --resume the newest checkpoint of run.out() is loaded, if there is one. Says in the log
// where the run goes on, `num_steps` being its end.
void Resume(Trainer& trainer, int64_t num_steps, const RunContext& run);

}  // namespace aim
