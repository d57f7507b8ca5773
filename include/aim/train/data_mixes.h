// Which modes each clip is trained in: the run's own mix, or that of its data set.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "aim/cache/latent_cache.h"
#include "aim/data/skipped.h"
#include "aim/train/step_plan.h"
#include "aim/train/train_options.h"

namespace aim {

class DataMixes {
 public:
  // TrainOptions::mix for every data set but those that TrainOptions::mixes names. Throws
  // ConfigError for a text that is no mix and for a name that is there twice.
  explicit DataMixes(const TrainOptions& options);

  // Of a clip of that data set (ClipOrigin); without actions its modes are those that need none.
  // May be empty: the clip cannot be trained on.
  const ModeMix& Of(const std::string& data_set, bool has_actions) const;

  // Throws ConfigError unless each name in train.mixes is that of one of these data sets, by its
  // path as it was given or by its last folder, and none has two.
  void RequireKnown(const std::set<std::string>& data_sets) const;

  // Modes that any of the mixes holds, and those that a clip of the cache may be drawn in, in the
  // order of the table.
  std::vector<std::string> Modes() const;
  std::vector<std::string> ModesOf(const LatentCache& cache) const;

  // Hides the clips that have no mode, and names their episodes.
  std::vector<Skipped> LeaveOut(LatentCache& cache) const;

  // What a step draws from; both are borrowed. A clip without a mode is an InputError once drawn.
  DrawnClips Over(const LatentCache& cache) const;

 private:
  struct Mix {
    std::string name;  // as in train.mixes; empty for all other data sets
    ModeMix whole = {};
    ModeMix of_video = {};  // alone

    bool IsOf(const std::string& data_set) const;
  };

  std::vector<Mix> mixes_;  // the last one is that of all others
};

// Why an episode without actions is left out of a run whose mix for it has no mode for a video
// alone; `where` and `got` say which episode and what it lacks.
Problem LacksActions(const std::string& where, const std::string& got);

}  // namespace aim
