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

void AddSkipped(const std::vector<Skipped>& skipped, nlohmann::json& report) {
  std::vector<Skipped> damaged, unfit;
  for (const Skipped& one : skipped) (one.is_damaged ? damaged : unfit).push_back(one);
  report["damaged"] = ToJson(damaged);
  report["unfit"] = ToJson(unfit);
}

void Skip(Skipped one, std::vector<Skipped>& skipped) {
  LogWarning("left out " + one.episode + ": " + one.problem);
  skipped.push_back(std::move(one));
}

void RequireOneRead(const std::string& where, size_t count, const std::vector<Skipped>& skipped) {
  if (skipped.empty() || skipped.size() < count) return;
  throw InputError({.where = where,
                    .got = std::string("without an episode that ") +
                           (skipped[0].is_damaged ? "can be read" : "is as asked for") + " (" +
                           skipped[0].episode + ": " + skipped[0].problem + ")",
                    .expected = "at least one",
                    .fix = ""});
}

}  // namespace aim
