// Recorded episodes cut to what a model sees, with their truth.
#pragma once

#include <string>
#include <vector>

#include "aim/base/progress.h"
#include "aim/bundle/bundle.h"
#include "aim/codec/clip.h"
#include "aim/data/data_set.h"

namespace aim {

// Throws InputError naming the episode if it has another number of views than the model.
void CheckViews(const EpisodeRef& ref, const Clip& clip, const BundleConfig& config);

// Clips with their truth, and what could not be read.
struct TruthClips {
  std::vector<Clip> clips;
  std::vector<std::string> tasks;
  std::vector<Skipped> skipped;
};

// The starts of at most `count` episodes, evenly spread over the data; damaged ones are left out,
// logged and named, and those of another rate than the model's warned of. Throws InputError if none
// can be used.
TruthClips ReadTruthClips(const DataSet& data, int count, const BundleConfig& config,
                          Progress& progress);

}  // namespace aim
