// How often a text holds another.
#pragma once

#include <cstddef>
#include <string>

namespace aim::testing {

inline size_t CountParts(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace aim::testing
