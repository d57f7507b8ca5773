#include "eval/trial_worker.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "aim/base/blake2b.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/rng.h"
#include "eval/pictures.h"
#include "eval/sensitivity.h"

namespace aim {
namespace {

constexpr int kStripFrames = 8;
constexpr uint64_t kSeedsARun = 100000;

TrialRules RulesOf(const RolloutSetting& setting, const RolloutOptions& options, int demo_steps) {
  TrialRules rules;
  rules.execution = {
      .horizon = options.replan, .ramp_frames = 0, .min_confidence = options.min_confidence};
  rules.period_s = setting.period_s;
  rules.max_env_steps = static_cast<int>(std::ceil(options.max_steps_factor * demo_steps));
  rules.max_time_s = options.max_steps_factor * demo_steps * setting.period_s;
  rules.hold_env_steps = options.hold_steps;
  rules.max_ik_failures = options.max_ik_failures;
  rules.limits = options.limits;
  return rules;
}

uint64_t HashedSeed(const std::string& task, int variation, int trial) {
  constexpr uint64_t kMostSeeds = 1000000;
  return Blake2b64(task + "|" + std::to_string(variation) + "|" + std::to_string(trial)) %
             kMostSeeds +
         1;
}

// None if the simulator is lost twice.
std::optional<TrialPictures> PlayForPictures(Env& env, const TrialRecord& record, double period_s,
                                             int size, const std::string& name) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      return RenderTrial(env, record.spec, record.result, period_s, size);
    } catch (const IoError& error) {
      LogWarning(name + ": played again for its pictures, it failed: " + error.what());
    }
  }
  return std::nullopt;
}

}  // namespace

TrialSpec SceneOf(const RolloutSetting& setting, const TrialKey& key, const Env& env) {
  const RolloutOptions& options = setting.options;
  const int variation =
      options.variation >= 0 ? options.variation : key.trial % env.NumVariations(key.task);
  const uint64_t seed = options.seed_rule == SeedRule::kBlake2b
                            ? HashedSeed(key.task, variation, key.trial)
                            : static_cast<uint64_t>(options.first_seed) +
                                  kSeedsARun * setting.seed + static_cast<uint64_t>(key.trial);
  return {.task = key.task, .variation = variation, .seed = seed, .cameras = key.cameras};
}

std::shared_ptr<const Demonstration> DemoStore::Find(const TrialSpec& scene) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [known, demo] : demos_) {
    if (known.task == scene.task && known.variation == scene.variation &&
        known.seed == scene.seed) {
      return demo;
    }
  }
  return nullptr;
}

void DemoStore::Keep(const TrialSpec& scene, std::shared_ptr<const Demonstration> demo) {
  const std::lock_guard lock(mutex_);
  if (demos_.size() == capacity_) demos_.pop_front();
  demos_.emplace_back(scene, std::move(demo));
}

void DemoStore::Clear() {
  const std::lock_guard lock(mutex_);
  demos_.clear();
}

TrialWorker::TrialWorker(const RolloutSetting& setting, DemoStore& demos, std::unique_ptr<Env> env,
                         std::unique_ptr<Policy> model)
    : setting_(setting), demos_(demos), env_(std::move(env)), model_(std::move(model)) {}

TrialRecord TrialWorker::Play(const TrialKey& key) {
  TrialRecord record;
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      record = PlayOnce(key);
      record.num_reruns = attempt;
      return record;
    } catch (const ConfigError&) {
      throw;
    } catch (const InternalError&) {
      throw;
    } catch (const std::exception& error) {
      LogWarning(NameOf(key) + " failed: " + error.what());
      record = {};
      record.result.error = error.what();
    }
    demos_.Clear();
  }
  record.trial = key.trial;
  record.variant = key.variant;
  record.spec = SceneOf(setting_, key, *env_);
  record.num_reruns = 1;
  return record;
}

TrialRecord TrialWorker::PlayOnce(const TrialKey& key) {
  PlaceCameras(key.cameras);
  const RolloutOptions options = OptionsOfVariant(setting_.options, key.variant);
  TrialRecord record;
  record.trial = key.trial;
  record.variant = key.variant;
  record.spec = SceneOf(setting_, key, *env_);
  const int frames_without_expert = env_->FramesWithoutExpert(key.task);
  const std::shared_ptr<const Demonstration> demo =
      frames_without_expert > 0 ? nullptr : Demo(record.spec);
  if (demo) record.demo_frames = static_cast<int>(demo->clip.poses.size());
  TrialRules rules =
      RulesOf(setting_, options,
              demo ? static_cast<int>(demo->commands.size()) - 1 : frames_without_expert);
  if (demo) PlayReplays(*demo, key, rules, record);
  if (IsPlayed(PolicyKind::kStill, key)) {
    const int num_frames = demo ? static_cast<int>(demo->commands.size()) : frames_without_expert;
    StillPolicy still(num_frames, setting_.period_s);
    record.references["still"] = Act(still, record.spec, rules);
  }
  if (model_) {
    rules.execution.ramp_frames = options.ramp_frames;
    rules.plan_delay_steps = options.async;
    record.result = Act(*model_, record.spec, rules);
  } else {
    const PolicyKind asked = setting_.asked;
    record.result = record.references.at(asked == PolicyKind::kReplay ? "gate" : ToWord(asked));
  }
  if (demo) {
    record.distance = DistanceToExpert(record.result.plans.front(), *demo, setting_.period_s);
  }
  return record;
}

// Cameras are nothing to the references: they are played once a scene, by the rollout's own rules.
bool TrialWorker::IsPlayed(PolicyKind reference, const TrialKey& key) const {
  const RolloutOptions& options = setting_.options;
  return setting_.asked == reference ||
         (options.references && key.variant.empty() && key.cameras == options.cameras.front());
}

void TrialWorker::PlayReplays(const Demonstration& demo, const TrialKey& key,
                              const TrialRules& rules, TrialRecord& record) {
  if (IsPlayed(PolicyKind::kReplay, key)) {
    ReplayPolicy gate(demo.commands, setting_.period_s);
    record.references["gate"] = Act(gate, record.spec, rules);
  }
  if (IsPlayed(PolicyKind::kNull, key)) {
    TrialKey next = key;
    ++next.trial;
    ReplayPolicy null_policy(Demo(SceneOf(setting_, next, *env_))->commands, setting_.period_s);
    record.references["null"] = Act(null_policy, record.spec, rules);
  }
}

TrialResult TrialWorker::Act(Policy& policy, const TrialSpec& scene, const TrialRules& rules) {
  const std::string name =
      scene.task + "|" + std::to_string(scene.variation) + "|" + std::to_string(scene.seed);
  return PlayTrial(*env_, policy, scene, StableHash(name, setting_.seed), rules);
}

// The scripted expert's commands in a scene.
std::shared_ptr<const Demonstration> TrialWorker::Demo(const TrialSpec& scene) {
  if (auto known = demos_.Find(scene)) return known;
  auto demo =
      std::make_shared<const Demonstration>(env_->Plan(scene.task, scene.variation, scene.seed));
  if (demo->commands.size() < 2 || demo->clip.poses.size() < 2) {
    throw IoError(
        {.where = "the demonstration of " + scene.task + " seed " + std::to_string(scene.seed),
         .got = std::to_string(demo->commands.size()) + " frames long",
         .expected = "at least 2",
         .fix = ""});
  }
  demos_.Keep(scene, demo);
  return demo;
}

void TrialWorker::PlaceCameras(const std::string& cameras) {
  if (cameras == placed_) return;
  env_->PlaceCameras(ParseCameraWish(cameras));
  placed_ = cameras;
}

void TrialWorker::TakePictures(TrialRecord& record, const std::filesystem::path& folder) {
  PlaceCameras(record.spec.cameras);
  const bool is_imagined = record.result.imagined.has_value();
  const std::string name = TaskFileName(record.spec.task) + "_" + std::to_string(record.spec.seed) +
                           FileNameEnd(record.spec.cameras) +
                           (is_imagined             ? "_imagined"
                            : record.result.success ? "_success"
                                                    : "_failure");
  const int size = setting_.options.picture_size;
  const double period_s = setting_.period_s;
  const std::optional<TrialPictures> pictures =
      is_imagined ? ImaginedPictures(record.result, period_s, size)
                  : PlayForPictures(*env_, record, period_s, size, name);
  if (!pictures) return;
  if (!pictures->same_outcome) {
    LogWarning(name + ": played again for its pictures, the trial ended otherwise");
  }
  const std::filesystem::path strip =
      WriteFilmstrip(TrialFilmstrip(*pictures, kStripFrames), folder / "filmstrips" / name);
  record.filmstrip = "filmstrips/" + strip.filename().string();
  const std::filesystem::path stem = folder / "videos" / name;
  for (const std::filesystem::path& path :
       WriteTrialVideos(*pictures, 1 / setting_.period_s, stem)) {
    record.videos.push_back("videos/" + path.filename().string());
  }
}

}  // namespace aim
