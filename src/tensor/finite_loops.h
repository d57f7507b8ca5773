// The inner loop of the check for NaN and Inf, compiled with flags of its own.
#pragma once

#include <cstdint>

namespace aim {

// Whether none of `count` floating-point numbers, as words, is NaN or Inf: those are the numbers
// whose exponent bits are all set. One pass, no temporaries, no threads to wait for: it is as fast
// as memory is read.
template <class Word>
bool NoneHasBits(const Word* words, int64_t count, Word exponent);

}  // namespace aim
