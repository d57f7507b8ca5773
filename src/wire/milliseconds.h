// Seconds of an option as a duration of timers. For wire and serve only.
#pragma once

#include <chrono>
#include <cstdint>

namespace aim {

inline std::chrono::milliseconds InMilliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
}

}  // namespace aim
