#include "aim/train/run_train.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/parallel.h"
#include "aim/bundle/bundle.h"
#include "aim/data/cut_clip.h"
#include "aim/diffusion/validation.h"
#include "aim/tensor/safetensors.h"
#include "aim/train/dataset.h"
#include "aim/train/trainer.h"
#include "train/metrics_file.h"

namespace aim {
namespace {

using Clock = std::chrono::steady_clock;

std::filesystem::path CheckpointPath(const std::filesystem::path& out, int64_t train_step) {
  char name[32];
  std::snprintf(name, sizeof(name), "step_%08lld", static_cast<long long>(train_step));
  return out / "checkpoints" / name;
}

// Finished checkpoints, oldest first.
std::vector<std::filesystem::path> ListCheckpoints(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::exists(out / "checkpoints")) return found;
  for (const auto& entry : std::filesystem::directory_iterator(out / "checkpoints")) {
    if (entry.path().filename().string().rfind("step_", 0) == 0) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// What a run needs beside the trainer: read or made once at its start.
struct Setup {
  BundleConfig config;
  WeightMap initial_weights;
  std::unique_ptr<PcaAutoencoder> autoencoder;
  std::unique_ptr<HashedWords> text;
  std::vector<Clip> validation;
  std::optional<LatentCache> cache;

  ClipEncoder Encoder() const {
    return {autoencoder.get(), text.get(), config.dit, config.action_image, config.num_frames};
  }
};

std::vector<std::string> ModesOf(const ModeMix& mix) {
  std::vector<std::string> names;
  ModeMix::ForEachField(mix,
                        [&](const char* name, const double& share, const Limits&, const char*) {
                          if (share > 0) names.emplace_back(name);
                        });
  return names;
}

BundleConfig ConfigOf(const TrainRunOptions& options, const Clip& sample) {
  BundleConfig config;
  config.dit = options.dit;
  config.autoencoder.pca = options.autoencoder;
  config.text.hashed_words = options.text;
  config.trained_modes = ModesOf(options.train.mix);
  config.fps = sample.fps;
  config.image_height = sample.height;
  config.image_width = sample.width;
  config.num_frames = options.clips.num_frames;
  config.num_views = static_cast<int>(sample.views.size());
  config.diffusion.shift = options.train.shift;
  // A clean prediction at full noise is the mean of what may follow: one step acts best (measured
  // in docs/results.md). A velocity is integrated in the released number of steps.
  config.diffusion.steps = options.dit.prediction == Prediction::kClean ? 1 : 50;
  return config;
}

// The autoencoder of the initial bundle, of an earlier start of this run, or a new fit.
std::unique_ptr<PcaAutoencoder> ObtainAutoencoder(const TrainRunOptions& options,
                                                  const Bundle* init, const DataSplit& split,
                                                  RunContext& run) {
  const std::filesystem::path file = run.out() / "autoencoder.safetensors";
  if (init != nullptr) {
    const auto* pca = dynamic_cast<const PcaAutoencoder*>(init->autoencoder.get());
    AIM_CHECK(pca != nullptr);
    return std::make_unique<PcaAutoencoder>(*pca);
  }
  if (std::filesystem::exists(file)) {
    return std::make_unique<PcaAutoencoder>(options.autoencoder, ReadSafetensors(file),
                                            file.string());
  }
  auto fitted = std::make_unique<PcaAutoencoder>(
      FitAutoencoder(split.training, options.clips.autoencoder_episodes, options.clips.num_frames,
                     options.autoencoder, {}, run.progress()));
  WriteSafetensors(file, fitted->weights());
  return fitted;
}

Setup Prepare(const TrainRunOptions& options, RunContext& run) {
  options.Validate();
  const DataSplit split =
      ListTrainingData(options.data, options.train.validation_episodes, run.seed());
  const Clip sample = ReadTrainingEpisode(split.training.front()).clip;
  std::optional<Bundle> init;
  Setup setup;
  if (!options.init.empty()) {
    init = LoadBundle(options.init);
    setup.config = init->config;
    setup.config.trained_modes = ModesOf(options.train.mix);
    setup.initial_weights = init->dit.NamedWeights();
  } else {
    setup.config = ConfigOf(options, sample);
    setup.initial_weights = InitialDitWeights(options.dit, Rng(run.seed()).Derive(0, "weights"));
  }
  setup.config.Validate();
  run.PrepareOutFolder();
  setup.autoencoder = ObtainAutoencoder(options, init ? &*init : nullptr, split, run);
  setup.text = std::make_unique<HashedWords>(setup.config.text.hashed_words);
  for (const TrainingEpisode& episode : split.validation) {
    const Clip clip = ReadTrainingEpisode(episode).clip;
    setup.validation.push_back(CutClip(clip, 0, setup.config.num_frames));
  }
  const std::filesystem::path cache_dir =
      options.clips.dir.empty() ? run.out() / "cache" : std::filesystem::path(options.clips.dir);
  setup.cache = OpenOrBuildCache(cache_dir, split.training, setup.Encoder(),
                                 Fingerprint(setup.autoencoder->weights()),
                                 options.clips.per_episode, run.progress());
  if (setup.cache->size() == 0)
    throw InputError(
        {"--data", "without a readable episode", "at least one", "see the warnings above"});
  run.Note("training_clips", setup.cache->size());
  run.Note("validation_clips", setup.validation.size());
  return setup;
}

nlohmann::json Validate(const Setup& setup, const Trainer& trainer, const TrainRunOptions& options,
                        uint64_t seed) {
  at::set_num_threads(NumProcessors());
  const Dit dit{setup.config.dit, trainer.averaged_weights(), at::kFloat};
  const GeneratorModel model{&dit, setup.autoencoder.get(), setup.text.get(),
                             setup.config.action_image, setup.config.num_frames};
  GenerateOptions generate;
  generate.sampler.sampling.shift = setup.config.diffusion.shift;
  nlohmann::json report;
  for (const std::string& mode : ModesOf(options.train.mix)) {
    report[mode] = ToJson(
        ValidateMode(model, FindMode(mode), setup.validation, generate, Rng(seed).Derive(0, mode)));
  }
  return report;
}

void SaveCheckpoint(const Trainer& trainer, const std::filesystem::path& out, int keep) {
  trainer.Save(CheckpointPath(out, trainer.train_step()));
  std::vector<std::filesystem::path> found = ListCheckpoints(out);
  for (size_t i = 0; i + static_cast<size_t>(keep) < found.size(); ++i)
    std::filesystem::remove_all(found[i]);
}

// Means over the steps since the last line.
struct Window {
  double loss = 0;
  double grad_norm = 0;
  int64_t steps = 0;
  Clock::time_point start = Clock::now();

  nlohmann::json Line(const StepReport& last, int64_t train_step, int batch_size) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return {{"train_step", train_step},
            {"loss", loss / static_cast<double>(steps)},
            {"grad_norm", grad_norm / static_cast<double>(steps)},
            {"lr", last.lr},
            {"samples_per_s", static_cast<double>(steps * batch_size) / seconds}};
  }
};

}  // namespace

void TrainRunOptions::Validate() const {
  CheckRanges(*this);
  dit.Validate();
  autoencoder.Validate();
  if (ModesOf(train.mix).empty())
    throw ConfigError({"train.mix", "zero for every mode", "at least one mode above 0", ""});
}

std::ostream& operator<<(std::ostream& out, const TrainReport& report) {
  return out << nlohmann::json{{"train_step", report.train_step},
                               {"loss", report.loss},
                               {"samples_per_s", report.samples_per_s},
                               {"bundle", report.bundle.string()}}
                    .dump();
}

TrainReport RunTrain(const TrainRunOptions& options, RunContext& run) {
  Setup setup = Prepare(options, run);
  Trainer trainer(setup.config.dit, options.train, run.seed(), std::move(setup.initial_weights),
                  setup.text->Encode(""));
  const auto checkpoints = ListCheckpoints(run.out());
  if (run.common().resume && !checkpoints.empty()) trainer.Load(checkpoints.back());
  MetricsFile metrics(run.out() / "metrics.jsonl", trainer.train_step());

  TrainReport report;
  run.progress().Start("train", options.train.steps - trainer.train_step());
  Window window;
  while (trainer.train_step() < options.train.steps) {
    const StepReport step = trainer.Step(*setup.cache);
    window.loss += step.loss;
    window.grad_norm += step.grad_norm;
    ++window.steps;
    const int64_t train_step = trainer.train_step();
    const bool is_last = train_step == options.train.steps;
    if (train_step % options.train.log_every == 0 || is_last) {
      const nlohmann::json line = window.Line(step, train_step, options.train.batch_size);
      metrics.Append(line);
      report.loss = line["loss"];
      report.samples_per_s = line["samples_per_s"];
      window = {};
    }
    run.progress().Advance(1, "loss " + std::to_string(step.loss));
    if (train_step % options.train.checkpoint_every == 0 || is_last) {
      SaveCheckpoint(trainer, run.out(), options.train.keep_checkpoints);
    }
    if (!setup.validation.empty() && (train_step % options.train.validate_every == 0 || is_last)) {
      metrics.Append({{"train_step", train_step},
                      {"validation", Validate(setup, trainer, options, run.seed())}});
      window.start = Clock::now();
    }
  }
  run.progress().Finish();
  report.train_step = trainer.train_step();
  report.bundle = run.out() / "bundle";
  WriteBundle(report.bundle, setup.config, trainer.averaged_weights(),
              setup.autoencoder->weights());
  return report;
}

}  // namespace aim
