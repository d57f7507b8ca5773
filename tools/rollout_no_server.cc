// In place of rollout_server.cc and rollout_world.cc in a core build, which has no client of policy
// servers and reads no data sets.
#include "tools/commands.h"

namespace aim::cli {

std::function<std::unique_ptr<Policy>(const std::string& url)> PolicyServerClient(
    const std::string&) {
  return {};
}

std::function<std::unique_ptr<Env>(const EnvOptions&)> WorldOfModel(
    const RolloutOptions&, const std::shared_ptr<SharedModel>&, const std::string&) {
  return {};
}

}  // namespace aim::cli
