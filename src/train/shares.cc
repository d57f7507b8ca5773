#include "aim/train/shares.h"

#include <c10/util/accumulate.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace aim {

std::vector<int> OwnersOf(const ShapeMap& trained, int num_ranks) {
  std::vector<int64_t> counts;
  for (const auto& [name, shape] : trained) counts.push_back(c10::multiply_integers(shape));
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return counts[a] > counts[b]; });
  std::vector<int64_t> loads(static_cast<size_t>(num_ranks));
  std::vector<int> owners(counts.size());
  for (const size_t tensor : order) {
    const auto least = std::min_element(loads.begin(), loads.end());
    *least += counts[tensor];
    owners[tensor] = static_cast<int>(least - loads.begin());
  }
  return owners;
}

}  // namespace aim
