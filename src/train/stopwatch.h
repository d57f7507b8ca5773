// How long something took, by a clock that only goes forward.
#pragma once

#include <chrono>

namespace aim {

using Clock = std::chrono::steady_clock;

inline double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace aim
