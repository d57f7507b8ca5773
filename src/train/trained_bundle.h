// Bundles that a run leaves in its folder, each whole or absent.
#pragma once

#include <filesystem>
#include <optional>

#include "aim/train/trainer.h"
#include "train/best_validation.h"
#include "train/training_setup.h"

namespace aim {

// What they are made of.
struct TrainedRun {
  const TrainRunOptions& options;
  const TrainingSetup& setup;
  const Trainer& trainer;
  std::filesystem::path out;
};

inline constexpr const char* kFinalBundle = "bundle";  // in the run's folder

// out/best: the average as it is now, with best.json, which says why.
void WriteBestBundle(const TrainedRun& run, const ValidationScore& score);

// The step of out/best; nothing without one. Throws FormatError for a damaged best.json.
std::optional<int64_t> BestStep(const std::filesystem::path& out);

// At the end: out/bundle, of the last average or of the best as train.ship says, and
// out/bundle-ema-X of each of train.more_ema.
void WriteFinalBundles(const TrainedRun& run);

}  // namespace aim
