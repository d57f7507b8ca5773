#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "aim/bundle/encoding.h"
#include "aim/train/data_mixes.h"
#include "train/held_out.h"
#include "train/training_setup.h"

namespace aim {
namespace {

// The encoders that a cache was made with.
void TakeEncoders(const std::filesystem::path& model, const BundleConfig& config,
                  const RunContext& run, TrainingSetup& setup) {
  setup.initial_bundle = model;
  setup.config = config;
  LoadEncoders(model, config, run, setup);
}

// Pictures as the autoencoder makes them of the clip's latents [V, 2, C, F, h, w].
void DecodePictures(const Autoencoder& autoencoder, const at::Tensor& latents, Clip& clip) {
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const at::Tensor latent = latents.select(0, static_cast<int64_t>(v)).select(0, 0).unsqueeze(0);
    const at::Tensor video =
        autoencoder.Decode(latent.to(autoencoder.device()), ContentKind::kVideo)[0].cpu();
    ClipView& view = clip.views[v];
    for (const std::vector<uint8_t>& frame : VideoBytes(video)) {
      view.rgb.insert(view.rgb.end(), frame.begin(), frame.end());
      ++view.num_frames;
    }
  }
}

// The last episodes are kept out of training, with the clip that each begins with.
void HoldOut(int asked, const Autoencoder& autoencoder, TrainingSetup& setup) {
  LatentCache& cache = *setup.cache;
  const std::vector<int64_t> first = FirstClips(cache);
  const size_t num_held_out = NumHeldOut(asked, first.size());
  for (size_t i = first.size() - num_held_out; i < first.size(); ++i) {
    Clip clip = cache.Truth(first[i]);
    if (clip.views.at(0).num_frames == 0)
      DecodePictures(autoencoder, cache.Get({first[i]}).latents[0], clip);
    setup.validation.Add(std::move(clip));
  }
  if (num_held_out > 0) cache.KeepFirst(first[first.size() - num_held_out]);
}

}  // namespace

TrainingSetup PrepareFromCache(const TrainRunOptions& options, RunContext& run) {
  const std::filesystem::path dir = options.clips.dir;
  LatentCache cache = LatentCache::Open(dir);
  if (cache.size() == 0) {
    throw InputError({dir.string(), "a cache of no clips", "at least one",
                      "make it again: its report says what failed"});
  }
  const DataMixes mixes(options.train);
  mixes.RequireKnown(cache.DataSets());
  const std::filesystem::path model = dir / "model";
  const BundleConfig made_with = LoadBundleConfig(model);
  TrainingSetup setup;
  if (options.init.empty()) {
    TakeEncoders(model, made_with, run, setup);
    setup.config.fps = cache.Truth(0).fps;
    TakeNewNetwork(options, run, setup);
  } else {
    TakeBundle(options, run, setup);
  }
  setup.skipped = mixes.LeaveOut(cache);
  if (cache.size() == 0) {
    throw InputError({dir.string(), "a cache of videos without actions alone",
                      "clips for the modes of train.mix and train.mixes",
                      "give i2v a share there"});
  }
  setup.config.trained_modes = mixes.ModesOf(cache);
  setup.config.Validate();
  RequireSameEncoding(EncodingOf(setup.initial_bundle, setup.config), EncodingOf(model, made_with),
                      options.init.empty() ? "dit" : "--init " + options.init);
  PrepareRun(options, cache.key(), run);
  setup.cache = std::move(cache);
  HoldOut(options.train.validation_episodes, *setup.autoencoder, setup);
  return setup;
}

}  // namespace aim
