// Which episode of one data set is which of another.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "aim/data/data_set.h"
#include "aim/pipeline/compare.h"

namespace aim {

struct EpisodePairs {
  std::vector<std::pair<const EpisodeRef*, const EpisodeRef*>> pairs;  // of the two data sets
  std::vector<std::string> only_first;
  std::vector<std::string> only_second;
};

// By name, where a folder of clips has '_' for '/'; two data sets of one episode each are a pair
// whatever they are called. By order both must have as many. Throws InputError if there is no pair.
EpisodePairs PairEpisodes(const DataSet& first, const DataSet& second, Pairing pairing);

}  // namespace aim
