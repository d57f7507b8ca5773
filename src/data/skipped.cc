#include "aim/data/skipped.h"

#include "aim/base/log.h"

namespace aim {

nlohmann::json ToJson(const std::vector<Skipped>& skipped) {
  nlohmann::json list = nlohmann::json::array();
  for (const Skipped& one : skipped) {
    list.push_back({{"episode", one.episode}, {"problem", one.problem}});
  }
  return list;
}

void Skip(const std::string& episode, const std::string& problem, std::vector<Skipped>& skipped) {
  LogWarning("left out " + episode + ": " + problem);
  skipped.push_back({episode, problem});
}

void RequireOneRead(const std::string& where, size_t count, const std::vector<Skipped>& skipped) {
  if (skipped.empty() || skipped.size() < count) return;
  throw InputError({.where = where,
                    .got = "without an episode that can be read (" + skipped[0].episode + ": " +
                           skipped[0].problem + ")",
                    .expected = "at least one",
                    .fix = ""});
}

}  // namespace aim
