// A simulator and a policy that play one trial after another; several of them share a rollout.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "aim/eval/rollout.h"
#include "aim/eval/trial_record.h"
#include "eval/trial_keys.h"

namespace aim {

// What all trials of a rollout have in common, with nothing left to choose.
struct RolloutSetting {
  RolloutOptions options;
  PolicyKind asked = PolicyKind::kModel;
  double period_s = 0;
  uint64_t seed = 0;
};

// The scene of a trial; `env` knows how many variations a task has.
TrialSpec SceneOf(const RolloutSetting& setting, const TrialKey& key, const Env& env);

// The last demonstrations, for all workers: that of a scene is also the null policy of the scene
// before it. Thread-safe.
class DemoStore {
 public:
  explicit DemoStore(size_t capacity) : capacity_(capacity) {}

  std::shared_ptr<const Demonstration> Find(const TrialSpec& scene) const;  // null: not there
  void Keep(const TrialSpec& scene, std::shared_ptr<const Demonstration> demo);
  void Clear();

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<std::pair<TrialSpec, std::shared_ptr<const Demonstration>>> demos_;
};

// Of one thread.
class TrialWorker {
 public:
  // `model` is null where no policy but a reference is asked for.
  TrialWorker(const RolloutSetting& setting, DemoStore& demos, std::unique_ptr<Env> env,
              std::unique_ptr<Policy> model);

  // A trial that throws is played again once, with the same seed; then it is returned as invalid.
  // Errors of the options and our own pass through.
  TrialRecord Play(const TrialKey& key);

  // Plays the trial again for a filmstrip and videos in `folder`, and notes them in it. The trial
  // counts all the same where the simulator is lost twice. Throws IoError if they cannot be
  // written.
  void TakePictures(TrialRecord& record, const std::filesystem::path& folder);

 private:
  TrialRecord PlayOnce(const TrialKey& key);
  void PlayReplays(const Demonstration& demo, const TrialKey& key, const TrialRules& rules,
                   TrialRecord& record);
  bool IsPlayed(PolicyKind reference, const TrialKey& key) const;
  TrialResult Act(Policy& policy, const TrialSpec& scene, const TrialRules& rules);
  std::shared_ptr<const Demonstration> Demo(const TrialSpec& scene);
  void PlaceCameras(const std::string& cameras);

  const RolloutSetting& setting_;
  DemoStore& demos_;
  std::unique_ptr<Env> env_;
  std::unique_ptr<Policy> model_;
  std::string placed_ = kUsualCameras;
};

}  // namespace aim
