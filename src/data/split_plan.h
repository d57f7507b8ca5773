// Which episode goes to which part of a data set.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace aim {

struct SplitItem {
  std::string name;     // its own
  std::string content;  // items of one content are never parted
  std::string stratum;  // items of one are shared out among the parts in their proportion
};

struct SplitShares {
  std::vector<double> shares;  // of the parts; sum 1
  int64_t most_items = 0;      // in a part, but for copies of one content; 0 = any number
};

// The part of each item: a function of the names, contents, strata and the seed, not of the items'
// order. As near to the shares as whole contents allow, in each stratum and over all.
std::vector<size_t> PlanSplit(std::span<const SplitItem> items, const SplitShares& shares,
                              uint64_t seed);

struct SizedSplit {
  size_t num_parts = 0;
  std::vector<size_t> parts = {};  // of each item
};

// The same into equal parts of at most `most_items`, as few as that takes where copies stay
// together. `items` is not empty. Throws ConfigError for more copies of one content than that.
SizedSplit PlanSizedSplit(std::span<const SplitItem> items, int64_t most_items, uint64_t seed);

}  // namespace aim
