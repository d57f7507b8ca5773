#include "aim/base/name_list.h"

#include <utility>

namespace aim {

std::vector<std::string> SplitNames(const std::vector<std::string>& given) {
  std::vector<std::string> names;
  for (const std::string& words : given) {
    size_t begin = 0;
    for (size_t comma = 0; comma != std::string::npos; begin = comma + 1) {
      comma = words.find(',', begin);
      std::string name = words.substr(begin, comma - begin);
      if (!name.empty()) names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace aim
