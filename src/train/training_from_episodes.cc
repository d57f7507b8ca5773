#include <algorithm>
#include <map>

#include "aim/base/error.h"
#include "aim/base/out_place.h"
#include "aim/bundle/encoding.h"
#include "aim/data/cut_clip.h"
#include "aim/tensor/device.h"
#include "aim/tensor/safetensors.h"
#include "aim/train/dataset.h"
#include "train/fitted_autoencoder.h"
#include "train/training_setup.h"

namespace aim {
namespace {

[[noreturn]] void ThrowNothingReadable() {
  throw InputError({"--data", "without a readable episode", "at least one",
                    "see the warnings above for what is wrong with each"});
}

// The shape of most of the first readable episodes of each data set, by its folder.
std::map<std::filesystem::path, ClipShape> SampleShapes(const DataSplit& split,
                                                        EpisodeReader& reader) {
  constexpr size_t kSamples = 5;
  std::map<std::filesystem::path, std::vector<ClipShape>> samples;
  for (const TrainingEpisode& episode : split.training) {
    std::vector<ClipShape>& shapes = samples[episode.data.root()];
    if (shapes.size() == kSamples || episode.copy > 0) continue;
    if (const auto read = reader.TryRead(episode, {0, 1}))
      shapes.push_back(reader.ShapeOf(read->clip));
  }
  std::map<std::filesystem::path, ClipShape> most;
  for (const auto& sample : samples) {
    const std::vector<ClipShape>& shapes = sample.second;
    const auto count = [&](const ClipShape& shape) {
      return std::count(shapes.begin(), shapes.end(), shape);
    };
    const auto found = std::max_element(
        shapes.begin(), shapes.end(),
        [&](const ClipShape& a, const ClipShape& b) { return count(a) < count(b); });
    if (found != shapes.end()) most[sample.first] = *found;
  }
  if (most.empty()) ThrowNothingReadable();
  return most;
}

// Strays are left out one by one; a whole data set of another shape is the caller's mistake.
void ExpectOneShape(const std::map<std::filesystem::path, ClipShape>& shapes,
                    const BundleConfig& config, const std::string& whose, EpisodeReader& reader) {
  const ClipShape expected{config.image_width, config.image_height, config.num_views, config.fps};
  for (const auto& [root, shape] : shapes) CheckShape(shape, expected, root.string(), whose);
  reader.Expect(expected, whose);
}

void TakeNewModel(const TrainRunOptions& options, const ClipShape& sample, const RunContext& run,
                  TrainingSetup& setup) {
  BundleConfig& config = setup.config;
  config.autoencoder.pca = options.autoencoder;
  config.text.hashed_words = options.text;
  config.fps = sample.fps;
  config.image_height = sample.height;
  config.image_width = sample.width;
  config.num_frames = options.clips.num_frames;
  config.num_views = sample.num_views;
  TakeNewNetwork(options, run, setup);
  setup.text = std::make_unique<HashedWords>(options.text);
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
  const PcaAutoencoder fitted(options.autoencoder, ReadFittedAutoencoder(run.out()),
                              (run.out() / kFittedAutoencoder).string());
  return std::make_unique<PcaAutoencoder>(fitted.To(ParseDevice(run.device())));
}

void TakeClips(const TrainRunOptions& options, const DataSplit& split, EpisodeReader& reader,
               RunContext& run, TrainingSetup& setup) {
  const std::filesystem::path& initial = setup.initial_bundle;
  const auto write_encoders = [&](const std::filesystem::path& path) {
    if (initial.empty()) {
      WriteEncoders(path, setup.config, ReadFittedAutoencoder(run.out()));
    } else {
      WriteEncoders(path, setup.config, initial);
    }
  };
  const ClipEncoder encoder{setup.autoencoder.get(), setup.text.get(), setup.config.dit,
                            setup.config.action_image, setup.config.num_frames};
  setup.cache = OpenOrBuildCache(
      {.dir = CachePath(options, run),
       .episodes = split.training,
       .config = setup.config,
       .encoder = encoder,
       .encoding = initial.empty() ? EncodingOf(setup.config, ReadFittedAutoencoder(run.out()))
                                   : EncodingOf(initial, setup.config),
       .write_encoders = write_encoders,
       .clips_per_episode = options.clips.per_episode,
       .augment = options.clips.augment,
       .seed = run.seed()},
      reader, run);
  if (!setup.cache) return;
  if (setup.cache->size() == 0) ThrowNothingReadable();
  for (const TrainingEpisode& episode : split.validation) {
    const std::optional<Episode> read = reader.TryRead(episode, {0, setup.config.num_frames});
    if (!read) continue;
    Clip clip = CutClip(read->clip, 0, setup.config.num_frames);
    clip.views.resize(static_cast<size_t>(setup.config.num_views));  // the first: nothing is drawn
    setup.validation.Add(std::move(clip));
  }
}

}  // namespace

TrainingSetup PrepareFromEpisodes(const TrainRunOptions& options, RunContext& run,
                                  int64_t most_episodes) {
  if (options.data.empty() && run.common().resume) {
    throw ConfigError({.where = "--data",
                       .got = "missing",
                       .expected = "what the run was begun with",
                       .fix = "give it again, or all of it with --config " +
                              (run.common().out / "run.json").string()});
  }
  for (const std::string& folder : DataFolders(options.data)) {
    if (std::filesystem::exists(folder)) RefuseOutInside(run.out(), folder);
  }
  EpisodeReader reader(options.clips.edit, options.clips.num_views);
  const DataMixes mixes(options.train);
  DataSplit split = ListTrainingData(options.data, options.train.validation_episodes, run.seed(),
                                     options.clips.edit, mixes);
  const auto num_listed = std::ssize(split.training);
  if (most_episodes > 0 && num_listed > most_episodes)
    split.training.erase(split.training.begin() + most_episodes, split.training.end());
  const std::map<std::filesystem::path, ClipShape> shapes = SampleShapes(split, reader);
  TrainingSetup setup;
  setup.num_listed = num_listed;
  if (options.init.empty()) {
    TakeNewModel(options, shapes.begin()->second, run, setup);
  } else {
    TakeBundle(options, run, setup);
  }
  setup.config.trained_modes = mixes.Modes();
  setup.config.Validate();
  ExpectOneShape(shapes, setup.config,
                 options.init.empty() ? "the other clips of this run" : options.init, reader);
  PrepareRun(options, ContentOf(split), run);
  if (!setup.autoencoder) setup.autoencoder = FittedAutoencoder(options, split, reader, run);
  TakeClips(options, split, reader, run, setup);
  if (setup.cache) setup.config.trained_modes = mixes.ModesOf(*setup.cache);
  setup.skipped = reader.skipped();
  return setup;
}

}  // namespace aim
