// aim-train: from data sets to a model bundle.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/data/skipped.h"
#include "aim/train/train_options.h"

namespace aim {

struct TrainReport {
  int64_t train_step = 0;
  double loss = 0;               // mean of the last logged steps
  double samples_per_s = 0;      // of the same
  bool finished = false;         // false: the run was asked to stop, train_step is where it goes on
  std::filesystem::path bundle;  // empty unless finished
  nlohmann::json best;           // what best.json says; null without a validation that has a number
  std::vector<Skipped> skipped;  // damaged episodes that this start of the run read
};

nlohmann::json ToJson(const TrainReport& report);
std::ostream& operator<<(std::ostream& out, const TrainReport& report);  // the same on one line

// Trains and leaves in run.out():
//
//   metrics.jsonl            loss, gradient norm, rate, samples/s, the share of the workers' time
//                            that fetching clips took, peak memory of rank 0; validation of every
//                            mode in mm, degrees and dB. It only ever grows: a resumed run writes
//                            {"resumed_at_step": N} and goes on below it
//   events.out.tfevents.*    the same for TensorBoard, each step once
//   report.html              curves, how long it will take, samples of every mode at the end;
//                            written anew at each checkpoint
//   samples/                 at the end, a video of each sample: recorded beside generated
//   checkpoints/             step_00000123/, atomic, the newest few and that of the best validation
//   best/                    bundle of the average at that validation, best.json says which it was
//   cache/                   encoded clips
//   autoencoder.safetensors  if it was fitted here
//   bundle/                  at the end; bundle-ema-X/ of each of train.more_ema
//
// With run.common().resume it goes on from the newest checkpoint, also one beyond an earlier
// train.steps, and gives, on the CPU, the same bits as a run that was never interrupted. When
// run.stop_requested(), it saves a checkpoint, marks the run unfinished and returns. Damaged
// episodes are left out. Throws ConfigError, InputError, IoError.
//
// Under torchrun, srun or mpirun (launch.h) all ranks call it. They share each batch, and the
// result is that of one process to rounding; how many they are may change from one start to the
// next. Rank 0 reads, encodes, validates and writes; the others open the cache at its path and
// return nothing. When one is lost, the others throw IoError.
std::optional<TrainReport> RunTrain(const TrainRunOptions& options, RunContext& run);

}  // namespace aim
