#include "data/first_of_name.h"

#include "aim/base/text.h"
#include "aim/data/skipped.h"

namespace aim {

FirstOfName::FirstOfName(const std::vector<std::string>& names) : names_(names) {
  for (size_t i = 0; i < names_.size(); ++i) first_.emplace(names_[i], i);
}

void FirstOfName::Require(size_t number, const std::string& where) const {
  const std::string& name = names_.at(number);
  if (name.empty() || first_.at(name) == number) return;
  throw UnfitError({.where = where,
                    .got = "a second episode that becomes " + name,
                    .expected = "names that differ",
                    .fix = "take the parts of the data set one by one"});
}

}  // namespace aim
