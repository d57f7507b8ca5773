#include "tensor/finite_loops.h"

#include <algorithm>

namespace aim {

template <class Word>
bool NoneHasBits(const Word* words, int64_t count, Word exponent) {
  constexpr int64_t kBlock = 4096;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, count);
    bool is_broken = false;
    for (int64_t i = begin; i < end; ++i) is_broken |= (words[i] & exponent) == exponent;
    if (is_broken) return false;
  }
  return true;
}

template bool NoneHasBits(const uint16_t* words, int64_t count, uint16_t exponent);
template bool NoneHasBits(const uint32_t* words, int64_t count, uint32_t exponent);
template bool NoneHasBits(const uint64_t* words, int64_t count, uint64_t exponent);

}  // namespace aim
