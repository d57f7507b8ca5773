// Numbers in the names of files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace aim {

// "007" of 7 with a width of 3; wider numbers stay whole. Not below zero.
inline std::string PaddedNumber(int64_t number, size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

}  // namespace aim
