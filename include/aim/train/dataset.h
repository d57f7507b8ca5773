// Episodes of the data sets a run trains on: held-out split, guarded reading, autoencoder fit,
// latent cache.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/bundle/bundle.h"
#include "aim/cache/latent_cache.h"
#include "aim/data/data_set.h"
#include "aim/model/pca_autoencoder.h"
#include "aim/train/data_mixes.h"
#include "aim/train/train_options.h"

namespace aim {

// An episode, the data set that reads it and a hash of what it holds.
struct TrainingEpisode {
  DataSet data;
  EpisodeRef ref;
  std::string stamp;
  int copy = 0;                  // of one that is trained on several times in an epoch
  std::string data_set = {};     // as ClipOrigin calls it: DIR of --data, normal
  bool may_lack_actions = true;  // its mix has a mode for a video alone
};

// DIR of each DIR or DIR@RATIO. Throws ConfigError for a bad ratio.
std::vector<std::string> DataFolders(const std::vector<std::string>& data);

struct DataSplit {
  std::vector<TrainingEpisode> training;
  std::vector<TrainingEpisode> validation;  // chosen by a hash of the episode's name
};

// `data` are DIR or DIR@RATIO: how often an episode is trained on in an epoch; of 2.5 every episode
// twice and half of them, by hash, a third time. What is given twice adds up. `validation_episodes`
// are held out of training (each once, however often it was given), or, where it is -1, one in ten,
// at least 1 and at most 24. Throws InputError for a missing folder, ConfigError for a bad ratio,
// too few episodes, a name in `mixes` that is none of the data's, or a set of which no episode has
// the views or the rate that `edit` asks for.
DataSplit ListTrainingData(const std::vector<std::string>& data, int validation_episodes,
                           uint64_t seed, const EpisodeEdit& edit = {},
                           const DataMixes& mixes = DataMixes(TrainOptions()));

// A hash of what the episodes hold, whichever side they are on: changes when one is recorded or
// captioned again.
std::string ContentOf(const DataSplit& split);

// What clips have in common that stand in one batch.
struct ClipShape {
  int width = 0;
  int height = 0;
  int num_views = 0;
  double fps = 0;

  bool operator==(const ClipShape&) const = default;
};
// Throws InputError naming `where` and `whose` shape is expected; rates may differ by 1 %.
void CheckShape(const ClipShape& shape, const ClipShape& expected, const std::string& where,
                const std::string& whose);

// Reads the episodes of a run, as `edit` wants them; thread-safe.
class EpisodeReader {
 public:
  // Clips have `num_views` of an episode's views, or all of them where it is 0.
  explicit EpisodeReader(EpisodeEdit edit = {}, int num_views = 0)
      : edit_(std::move(edit)), num_views_(num_views) {}
  const EpisodeEdit& edit() const { return edit_; }
  int num_views() const { return num_views_; }

  // Of the clips made of it.
  ClipShape ShapeOf(const Clip& clip) const;

  // From now on, episodes of another shape than that of `whose` are left out. Before any thread
  // reads.
  void Expect(const ClipShape& shape, std::string whose) {
    expected_ = shape;
    expected_by_ = std::move(whose);
  }

  // Nothing for a damaged episode, one of another shape, or one without actions that may not lack
  // them, which is logged the first time. An episode has actions where there is a pose and a
  // calibrated camera of each view for every frame; of others the poses are left away.
  std::optional<Episode> TryRead(const TrainingEpisode& episode, const FrameRange& range = {});

  // Whether `work` on the episode did not throw an InputError, now or before; one that did is left
  // out, which is logged the first time.
  bool TryOrLeaveOut(const TrainingEpisode& episode, const std::function<void()>& work);

  // All that were left out so far, by name.
  std::vector<Skipped> skipped() const;

  // Writes them beside what was made of the others, for a later start that reads none of them; adds
  // what such a file holds, if it is there. Recall throws InputError for a damaged one.
  void Keep(const std::filesystem::path& file) const;
  void Recall(const std::filesystem::path& file);

 private:
  EpisodeEdit edit_;
  int num_views_;
  std::optional<ClipShape> expected_;
  std::string expected_by_;
  mutable std::mutex mutex_;
  std::map<std::string, Skipped> skipped_;  // by path and name
};

// Principal components of the videos and action images of up to `num_episodes` episodes. Throws
// InputError where none of them has actions.
PcaAutoencoder FitAutoencoder(const std::vector<TrainingEpisode>& episodes, int num_episodes,
                              int num_frames, const PcaOptions& options,
                              const ActionImageSpec& spec, EpisodeReader& reader,
                              Progress& progress);

// Which clips are encoded, how, and where they are kept.
struct CacheRequest {
  std::filesystem::path dir;
  const std::vector<TrainingEpisode>& episodes;
  const BundleConfig& config;
  const ClipEncoder& encoder;  // of that config
  nlohmann::json encoding;     // EncodingOf that config (bundle/encoding.h)
  // Writes the encoders beside the clips (WriteEncoders).
  std::function<void(const std::filesystem::path&)> write_encoders;
  int clips_per_episode = 1;
  AugmentOptions augment = {};
  uint64_t seed = 0;  // of the views and variations that are drawn
};

// Opens the cache of the clips (CutClips of each episode), building what is missing; its folder
// `model` holds the encoders, so that it can be trained from alone. Nothing if the run was asked to
// stop before it was done.
std::optional<LatentCache> OpenOrBuildCache(const CacheRequest& request, EpisodeReader& reader,
                                            RunContext& run);

}  // namespace aim
