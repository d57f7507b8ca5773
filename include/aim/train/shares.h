// Which rank keeps the moments and the average of what is trained (train.zero).
#pragma once

#include <vector>

#include "aim/tensor/weights.h"

namespace aim {

// Of a process among those of its run.
struct RankPlace {
  int rank = 0;
  int size = 1;
};

// Of each tensor, in the order of their names, the rank that has it. Whole tensors, so that Muon
// sees its matrices: the largest first, each to the rank that has least so far. Depends on names,
// shapes and the number of ranks alone. No rank has more than its share and the largest tensor.
std::vector<int> OwnersOf(const ShapeMap& trained, int num_ranks);

}  // namespace aim
