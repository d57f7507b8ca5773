// In place of rollout_server.cc in a core build, which has no client of policy servers.
#include "tools/commands.h"

namespace aim::cli {

std::function<std::unique_ptr<Policy>(const std::string& url)> PolicyServerClient(
    const std::string&) {
  return {};
}

}  // namespace aim::cli
