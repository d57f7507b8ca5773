#include "train/trained_bundle.h"

#include <ATen/core/Tensor.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBest = "best";            // in the run's folder
constexpr const char* kBestScore = "best.json";  // in that

// Of the network with `trained`, weights or an average of the trainer. An adapter goes beside the
// network that it was trained for, unless that was changed as well.
void Write(const TrainedRun& run, WeightMap trained, const fs::path& path) {
  const TrainingSetup& setup = run.setup;
  for (auto& [name, weight] : trained) weight = weight.cpu();
  const Lora adapter = run.trainer.AdapterOf(trained);
  if (!adapter.weights.empty() && !setup.changes_network) {
    WriteBundle(path, setup.config, adapter, run.options.train.lora_name, setup.initial_bundle);
    return;
  }
  WeightMap weights = run.trainer.NetworkOf(trained);
  for (auto& [name, weight] : weights) weight = MergedWeight(name, weight, adapter);
  if (setup.initial_bundle.empty()) {
    WriteBundle(path, setup.config, weights, ReadFittedAutoencoder(run.out));
  } else {
    WriteBundle(path, setup.config, weights, setup.initial_bundle);
  }
}

}  // namespace

void WriteBestBundle(const TrainedRun& run, const ValidationScore& score) {
  WriteFolderAtomic(run.out / kBest, [&](const fs::path& folder) {
    Write(run, run.trainer.averaged_weights(), folder);
    WriteFileAtomic(folder / kBestScore, DumpJson(ToJson(score), 2) + "\n");
  });
}

std::optional<int64_t> BestStep(const fs::path& out) {
  const fs::path file = out / kBest / kBestScore;
  if (!fs::exists(file)) return std::nullopt;
  const nlohmann::json score = ParseJson(ReadFile(file));
  if (score.is_object() && score.contains("train_step") && score["train_step"].is_number_integer())
    return score["train_step"].get<int64_t>();
  throw FormatError({.where = file.string(),
                     .got = "damaged",
                     .expected = "a JSON object with train_step",
                     .fix = "remove " + (out / kBest).string()});
}

void WriteFinalBundles(const TrainedRun& run) {
  const TrainOptions& options = run.options.train;
  const fs::path best = run.out / kBest, bundle = run.out / kFinalBundle;
  const bool wants_best = options.ship == Shipped::kBest, has_best = fs::exists(best);
  if (wants_best && has_best) {
    WriteFolderAtomic(bundle, [&](const fs::path& folder) {
      fs::copy(best, folder, fs::copy_options::recursive);
    });
  } else {
    Write(run, run.trainer.averaged_weights(), bundle);
  }
  if (wants_best && !has_best) {
    LogWarning("train.ship is best, but no validation gave a number: " + bundle.string() +
               " has the weights of the last step");
  }
  for (size_t i = 0; i < options.more_ema.size(); ++i) {
    const std::string name = std::string(kFinalBundle) + "-ema-" + ToText(options.more_ema[i]);
    Write(run, run.trainer.more_averages()[i], run.out / name);
  }
}

}  // namespace aim
