// Names in an option that may be repeated.
#pragma once

#include <string>
#include <vector>

namespace aim {

// Those given one by one, with commas between them, or both; none is empty: "a,b" "c" are three.
std::vector<std::string> SplitNames(const std::vector<std::string>& given);

}  // namespace aim
