// The policy servers of aim-rollout.
#include "aim/wire/api_key.h"
#include "aim/wire/policy_client.h"
#include "tools/commands.h"

namespace aim::cli {

std::function<std::unique_ptr<Policy>(const std::string& url)> PolicyServerClient(
    const std::string& api_key_file) {
  return [api_key_file](const std::string& url) -> std::unique_ptr<Policy> {
    PolicyClientOptions options{.url = url};
    if (!api_key_file.empty()) options.api_key = ReadApiKey(api_key_file);
    return std::make_unique<PolicyClient>(options);
  };
}

}  // namespace aim::cli
