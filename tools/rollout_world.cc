// aim-rollout --env model.
#include <filesystem>

#include "aim/eval/rollout.h"
#include "aim/pipeline/scene_data.h"
#include "tools/commands.h"

namespace aim::cli {

std::function<std::unique_ptr<Env>(const EnvOptions&)> WorldOfModel(
    const RolloutOptions& options, const std::shared_ptr<SharedModel>& own,
    const std::string& device) {
  const std::string& path = options.imagination.env_model;
  std::error_code error;
  if (path.empty() || std::filesystem::equivalent(path, options.model.model, error)) {
    return ImaginedEnvs(options.imagination, own);
  }
  ModelOptions other = options.model;
  other.model = path;
  return ImaginedEnvs(options.imagination, std::make_shared<SharedModel>(other, device));
}

}  // namespace aim::cli
