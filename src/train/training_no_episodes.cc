// In place of training_from_episodes.cc in a core build, which reads no episodes.
#include "aim/base/error.h"
#include "train/training_setup.h"

namespace aim {

TrainingSetup PrepareFromEpisodes(const TrainRunOptions& options, RunContext&, int64_t) {
  throw ConfigError({"--data", options.data.empty() ? "missing" : "a data set",
                     "none, and a finished cache in clips.dir: this build (AIM_CORE_ONLY) reads no "
                     "videos",
                     "make a cache with aim-data demos --cache and give --set clips.dir=CACHE"});
}

}  // namespace aim
