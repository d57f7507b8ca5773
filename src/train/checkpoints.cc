#include "train/checkpoints.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string_view>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/log.h"

namespace aim {
namespace {

constexpr const char* kFolder = "checkpoints";  // in the run's folder

std::string CheckpointName(int64_t train_step) {
  char name[32];
  std::snprintf(name, sizeof(name), "step_%08lld", static_cast<long long>(train_step));
  return name;
}

bool IsCheckpoint(const std::filesystem::directory_entry& entry) {
  constexpr std::string_view kPrefix = "step_";
  const std::string name = entry.path().filename().string();
  return entry.is_directory() && name.size() > kPrefix.size() && name.starts_with(kPrefix) &&
         std::all_of(name.begin() + kPrefix.size(), name.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Finished checkpoints, oldest first.
std::vector<std::filesystem::path> ListCheckpoints(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::exists(folder)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
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

CheckpointWriter::CheckpointWriter(const std::filesystem::path& out, const TrainOptions& options)
    : folder_(out / kFolder), keep_(options.keep_checkpoints), is_async_(options.async_save) {
  if (!std::filesystem::is_directory(folder_)) return;
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.is_directory() && entry.path().filename().string().starts_with(".step_"))
      leftovers.push_back(entry.path());
  }
  for (const std::filesystem::path& leftover : leftovers) std::filesystem::remove_all(leftover);
}

CheckpointWriter::~CheckpointWriter() {
  if (writing_.valid()) writing_.wait();
}

void CheckpointWriter::Save(const Trainer& trainer) {
  Wait();
  if (saved_step_ == trainer.train_step()) return;
  if (!is_async_) return Write(trainer.State(), best_step_);
  const std::function<void()> wait = CopyState(trainer.State(), copy_);
  writing_ = std::async(std::launch::async, [this, wait, best_step = best_step_] {
    wait();
    Write(copy_, best_step);
  });
}

void CheckpointWriter::Write(const TrainerState& state, std::optional<int64_t> best_step) {
  WriteState(state, folder_ / CheckpointName(state.train_step));
  Settle(state.train_step, best_step);
}

bool CheckpointWriter::HasSaved(int64_t train_step) {
  Wait();
  return saved_step_ == train_step;
}

void CheckpointWriter::SaveDivided(const Trainer& trainer, Comm& comm) {
  trainer.SaveDivided(folder_ / CheckpointName(trainer.train_step()), comm);
  Settle(trainer.train_step(), best_step_);
}

void CheckpointWriter::Settle(int64_t train_step, std::optional<int64_t> best_step) {
  const std::filesystem::path path = folder_ / CheckpointName(train_step);
  saved_step_ = train_step;
  LogDebug("saved " + path.string());
  const std::vector<std::filesystem::path> found = ListCheckpoints(folder_);
  for (size_t i = 0; i + static_cast<size_t>(keep_) < found.size(); ++i) {
    if (!best_step || found[i].filename() != CheckpointName(*best_step))
      std::filesystem::remove_all(found[i]);
  }
}

void CheckpointWriter::ThrowIfFailed() {
  if (writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    writing_.get();
}

void CheckpointWriter::Wait() {
  if (writing_.valid()) writing_.get();
}

void Resume(Trainer& trainer, int64_t num_steps, const RunContext& run) {
  if (!run.common().resume) return;
  const std::vector<std::filesystem::path> found = ListCheckpoints(run.out() / kFolder);
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
