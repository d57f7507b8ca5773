#include "train/training_setup.h"

#include "aim/base/error.h"
#include "aim/data/cut_clip.h"
#include "aim/tensor/safetensors.h"
#include "aim/tensor/weight_file.h"

namespace aim {
namespace {

constexpr char kFittedAutoencoder[] = "autoencoder.safetensors";

[[noreturn]] void ThrowNothingReadable() {
  throw InputError({"--data", "without a readable episode", "at least one",
                    "see the warnings above for what is wrong with each"});
}

// The first episode that can be read: what the data looks like.
Clip ReadSample(const DataSplit& split, EpisodeReader& reader) {
  for (const TrainingEpisode& episode : split.training) {
    if (std::optional<Episode> read = reader.TryRead(episode)) return read->clip;
  }
  ThrowNothingReadable();
}

BundleConfig ConfigOf(const TrainRunOptions& options, const Clip& sample) {
  BundleConfig config;
  config.dit = options.dit;
  config.autoencoder.pca = options.autoencoder;
  config.text.hashed_words = options.text;
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

// The principal components of an earlier start of this run, or a new fit.
std::unique_ptr<Autoencoder> FittedAutoencoder(const TrainRunOptions& options,
                                               const DataSplit& split, EpisodeReader& reader,
                                               RunContext& run) {
  if (!std::filesystem::exists(run.out() / kFittedAutoencoder)) {
    const PcaAutoencoder fitted =
        FitAutoencoder(split.training, options.clips.autoencoder_episodes, options.clips.num_frames,
                       options.autoencoder, {}, reader, run.progress());
    WriteSafetensors(run.out() / kFittedAutoencoder, fitted.weights());
  }
  return std::make_unique<PcaAutoencoder>(options.autoencoder, ReadFittedAutoencoder(run.out()),
                                          (run.out() / kFittedAutoencoder).string());
}

// Tells models apart whose clips would be encoded differently.
std::string ModelKey(const TrainingSetup& setup, const RunContext& run) {
  if (setup.initial_bundle.empty()) return Fingerprint(ReadFittedAutoencoder(run.out()));
  const std::filesystem::path& bundle = setup.initial_bundle;
  std::string key = Fingerprint(OpenWeights(bundle / setup.config.autoencoder.file).tensors);
  if (setup.config.text.kind == TextKind::kUmt5) {
    key.append(" ").append(
        std::filesystem::weakly_canonical(bundle / setup.config.text.file).string());
  }
  return key;
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

}  // namespace

WeightMap ReadFittedAutoencoder(const std::filesystem::path& out) {
  return ReadSafetensors(out / kFittedAutoencoder);
}

TrainingSetup PrepareTraining(const TrainRunOptions& options, EpisodeReader& reader,
                              RunContext& run) {
  options.Validate();
  const DataSplit split =
      ListTrainingData(options.data, options.train.validation_episodes, run.seed());
  const Clip sample = ReadSample(split, reader);
  TrainingSetup setup;
  if (!options.init.empty()) {
    TakeBundle(options, setup);
  } else {
    setup.config = ConfigOf(options, sample);
    setup.initial_weights = InitialDitWeights(options.dit, Rng(run.seed()).Derive(0, "weights"));
    setup.text = std::make_unique<HashedWords>(options.text);
  }
  setup.config.trained_modes = options.train.mix.Names();
  setup.config.Validate();
  run.PrepareOutFolder();
  if (!setup.autoencoder) setup.autoencoder = FittedAutoencoder(options, split, reader, run);

  const ClipEncoder encoder{setup.autoencoder.get(), setup.text.get(), setup.config.dit,
                            setup.config.action_image, setup.config.num_frames};
  setup.cache = OpenOrBuildCache(
      {options.clips.dir.empty() ? run.out() / "cache" : std::filesystem::path(options.clips.dir),
       split.training, setup.config, encoder, ModelKey(setup, run), options.clips.per_episode},
      reader, run);
  if (!setup.cache) return setup;
  if (setup.cache->size() == 0) ThrowNothingReadable();
  for (const TrainingEpisode& episode : split.validation) {
    const std::optional<Episode> read = reader.TryRead(episode, {0, setup.config.num_frames});
    if (read) setup.validation.push_back(CutClip(read->clip, 0, setup.config.num_frames));
  }
  setup.ReleaseEncoders();
  run.Note("training_clips", setup.cache->size());
  run.Note("validation_clips", setup.validation.size());
  return setup;
}

}  // namespace aim
