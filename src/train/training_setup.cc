#include "train/training_setup.h"

#include "aim/base/rng.h"
#include "aim/tensor/safetensors.h"
#include "train/fitted_autoencoder.h"

namespace aim {

WeightMap ReadFittedAutoencoder(const std::filesystem::path& out) {
  return ReadSafetensors(out / kFittedAutoencoder);
}

void TakeBundle(const TrainRunOptions& options, TrainingSetup& setup) {
  // While the network is trained, it has the memory of the others.
  LoadOptions load;
  load.offload = true;
  Bundle bundle = LoadBundle(options.init, load);
  setup.initial_bundle = options.init;
  setup.config = bundle.config;
  setup.initial_weights = bundle.dit.NamedWeights();
  for (auto& [name, weight] : setup.initial_weights) weight = weight.clone();  // not the file's
  setup.autoencoder = std::move(bundle.autoencoder);
  setup.text = std::move(bundle.text);
}

void TakeNewNetwork(const TrainRunOptions& options, const RunContext& run, TrainingSetup& setup) {
  setup.config.dit = options.dit;
  setup.config.diffusion.shift = options.train.shift;
  // A clean prediction at full noise is the mean of what may follow: one step acts best (measured
  // in docs/results.md). A velocity is integrated in the released number of steps.
  setup.config.diffusion.steps = options.dit.prediction == Prediction::kClean ? 1 : 50;
  setup.initial_weights = InitialDitWeights(options.dit, Rng(run.seed()).Derive(0, "weights"));
}

TrainingSetup PrepareTraining(const TrainRunOptions& options, RunContext& run) {
  options.Validate();
  TrainingSetup setup = options.data.empty() && !options.clips.dir.empty()
                            ? PrepareFromCache(options, run)
                            : PrepareFromEpisodes(options, run);
  if (!setup.cache) return setup;
  setup.ReleaseEncoders();
  run.Note("training_clips", setup.cache->size());
  run.Note("validation_clips", setup.validation.size());
  return setup;
}

}  // namespace aim
