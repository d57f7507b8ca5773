// Episodes of the data sets a run trains on: held-out split, autoencoder fit, latent cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/cache/latent_cache.h"
#include "aim/codec/clip.h"
#include "aim/data/data_set.h"
#include "aim/model/pca_autoencoder.h"
#include "aim/train/train_options.h"

namespace aim {

// An episode and the data set that reads it.
struct TrainingEpisode {
  DataSet data;
  EpisodeRef ref;
};

struct DataSplit {
  std::vector<TrainingEpisode> training;
  std::vector<TrainingEpisode>
      validation;  // never trained on; chosen by a hash of the episode's name
};

// `data` are DIR or DIR@RATIO; a ratio below 1 keeps that share of the episodes (by hash). Throws
// InputError for a missing folder, ConfigError for a bad ratio or too few episodes.
DataSplit ListTrainingData(const std::vector<std::string>& data, int validation_episodes,
                           uint64_t seed);

// The whole episode. Throws InputError for a damaged one and for one without a pose a frame.
Episode ReadTrainingEpisode(const TrainingEpisode& episode);

// Principal components of the videos and action images of up to `num_episodes` episodes.
PcaAutoencoder FitAutoencoder(const std::vector<TrainingEpisode>& episodes, int num_episodes,
                              int num_frames, const PcaOptions& options,
                              const ActionImageSpec& spec, Progress& progress);

// Opens the cache of the clips of `episodes`, building what is missing. Clip 0 of an episode starts
// at its first frame, the others at evenly spread later frames. Damaged episodes are left out and
// named in the log.
LatentCache OpenOrBuildCache(const std::filesystem::path& dir,
                             const std::vector<TrainingEpisode>& episodes,
                             const ClipEncoder& encoder, const std::string& autoencoder_fingerprint,
                             int clips_per_episode, Progress& progress);

}  // namespace aim
