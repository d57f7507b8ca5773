// Episodes that come to one name: whichever of several processes writes them, the first has it.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

namespace aim {

class FirstOfName {
 public:
  // What each episode of a data set will be called, in its order; "" for one that is not written.
  explicit FirstOfName(const std::vector<std::string>& names);

  // Throws UnfitError naming `where` unless the episode of this number is the first of its name.
  void Require(size_t number, const std::string& where) const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, size_t> first_;
};

}  // namespace aim
