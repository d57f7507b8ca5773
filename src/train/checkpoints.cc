#include "train/checkpoints.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string_view>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/log.h"

namespace aim {
namespace {

std::filesystem::path CheckpointPath(const std::filesystem::path& out, int64_t train_step) {
  char name[32];
  std::snprintf(name, sizeof(name), "step_%08lld", static_cast<long long>(train_step));
  return out / "checkpoints" / name;
}

bool IsCheckpoint(const std::filesystem::directory_entry& entry) {
  constexpr std::string_view kPrefix = "step_";
  const std::string name = entry.path().filename().string();
  return entry.is_directory() && name.size() > kPrefix.size() && name.starts_with(kPrefix) &&
         std::all_of(name.begin() + kPrefix.size(), name.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Finished checkpoints, oldest first.
std::vector<std::filesystem::path> ListCheckpoints(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::exists(out / "checkpoints")) return found;
  for (const auto& entry : std::filesystem::directory_iterator(out / "checkpoints")) {
    if (IsCheckpoint(entry)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// A damaged checkpoint is named and passed over for the one before it.
void LoadNewest(Trainer& trainer, const std::vector<std::filesystem::path>& found) {
  for (auto path = found.rbegin(); path != found.rend(); ++path) {
    try {
      trainer.Load(*path);
      return;
    } catch (const InputError& error) {
      LogWarning(path->string() + " is passed over: " + error.what());
    }
  }
  throw InputError({.where = found.back().parent_path().string(),
                    .got = "without a checkpoint that is whole",
                    .expected = "at least one of " + std::to_string(found.size()),
                    .fix = "start over with --overwrite"});
}

}  // namespace

void SaveCheckpoint(const Trainer& trainer, const std::filesystem::path& out, int keep,
                    Comm& comm) {
  const std::filesystem::path path = CheckpointPath(out, trainer.train_step());
  if (trainer.is_divided()) {
    trainer.SaveDivided(path, comm);
  } else {
    trainer.Save(path);
  }
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
  LoadNewest(trainer, found);
  const std::string step = std::to_string(trainer.train_step());
  if (trainer.train_step() > num_steps) {
    throw ConfigError({.where = "train.steps",
                       .got = std::to_string(num_steps),
                       .expected = "at least " + step + ", the step of the newest checkpoint",
                       .fix = "ask for more, or begin anew with --overwrite"});
  }
  if (trainer.train_step() < num_steps) {
    LogInfo("resuming at step " + step + " of " + std::to_string(num_steps));
  } else {
    LogInfo("the checkpoint is at step " + step + " and train.steps is " +
            std::to_string(num_steps) + ": nothing is left to train, the bundle is written");
  }
}

}  // namespace aim
