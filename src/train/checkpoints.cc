#include "train/checkpoints.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "aim/base/log.h"

namespace aim {
namespace {

std::filesystem::path CheckpointPath(const std::filesystem::path& out, int64_t train_step) {
  char name[32];
  std::snprintf(name, sizeof(name), "step_%08lld", static_cast<long long>(train_step));
  return out / "checkpoints" / name;
}

// Finished checkpoints, oldest first.
std::vector<std::filesystem::path> ListCheckpoints(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::exists(out / "checkpoints")) return found;
  for (const auto& entry : std::filesystem::directory_iterator(out / "checkpoints")) {
    if (entry.path().filename().string().rfind("step_", 0) == 0) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

void SaveCheckpoint(const Trainer& trainer, const std::filesystem::path& out, int keep) {
  const std::filesystem::path path = CheckpointPath(out, trainer.train_step());
  trainer.Save(path);
  LogDebug("saved " + path.string());
  const std::vector<std::filesystem::path> found = ListCheckpoints(out);
  for (size_t i = 0; i + static_cast<size_t>(keep) < found.size(); ++i)
    std::filesystem::remove_all(found[i]);
}

void Resume(Trainer& trainer, int64_t num_steps, const RunContext& run) {
  if (!run.common().resume) return;
  const std::vector<std::filesystem::path> found = ListCheckpoints(run.out());
  if (found.empty()) {
    LogInfo("no checkpoint in " + run.out().string() + ": starting at step 0");
    return;
  }
  trainer.Load(found.back());
  const std::string step = std::to_string(trainer.train_step());
  if (trainer.train_step() < num_steps) {
    LogInfo("resuming at step " + step + " of " + std::to_string(num_steps));
  } else {
    LogInfo("the checkpoint is at step " + step + " and train.steps is " +
            std::to_string(num_steps) + ": nothing is left to train, the bundle is written");
  }
}

}  // namespace aim
