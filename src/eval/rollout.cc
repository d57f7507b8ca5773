#include "aim/eval/rollout.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/log.h"
#include "aim/base/parallel.h"
#include "aim/base/parse_json.h"
#include "aim/base/run_settings.h"
#include "aim/base/shard.h"
#include "aim/base/stop_on_error.h"
#include "aim/base/text.h"
#include "aim/eval/trial_record.h"
#include "eval/picture_tally.h"
#include "eval/pictures.h"
#include "eval/rollout_files.h"
#include "eval/sensitivity.h"
#include "eval/trial_keys.h"
#include "eval/trial_worker.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr int kDefaultImageSize = 64;
constexpr double kDefaultFramePeriodS = 0.12;
constexpr const char* kServed = "served";  // of the settings

fs::path SettingsFile(const RunContext& run) { return run.out() / "trials" / "settings.json"; }

class Rollout {
 public:
  Rollout(const RolloutOptions& options, RunContext& run, const RolloutParts& parts)
      : parts_(parts),
        run_(run),
        shard_(ParseShard(options.shard)),
        demos_(static_cast<size_t>(options.workers) + 2),
        tally_(options.num_videos) {
    options.Validate();
    setting_.options = options;
    setting_.asked = options.Kind();
    setting_.seed = run.seed();
    if (options.IsImagined()) {  // where there is no success, nothing is held against it
      setting_.options.references = false;
      setting_.options.hold_steps = 0;
    }
    if (IsAsked(PolicyKind::kModel) || IsAsked(PolicyKind::kServer)) model_ = MakeModel();
    MakeEnvironment();
    keys_ = OfShard(ListTrials(setting_.options), shard_);
    if (shard_.index >= NumScenes()) RefuseShard();
    ReadComparisons();
    slots_.resize(keys_.size());
    for (const TrialKey& key : keys_) scenes_.push_back(SceneOf(setting_, key, *env_));
  }

  std::optional<RolloutReport> Run() {
    const auto begin = std::chrono::steady_clock::now();
    run_.PrepareOutFolder(OutUse::kResumable);
    KeepSettings(SettingsFile(run_), Settings());
    for (const std::string& cameras : setting_.options.cameras) KeepCameras(cameras);
    const auto num_trials = static_cast<int64_t>(keys_.size());
    run_.progress().Start("rollout", num_trials);
    const int64_t num_workers = std::min<int64_t>(setting_.options.workers, num_trials);
    ParallelFor(num_workers, static_cast<int>(num_workers), [&](int64_t) { Work(); });
    run_.progress().Finish();
    if (num_settled_ < keys_.size()) {
      run_.CommitOut();
      run_.MarkUnfinished();
      LogInfo("stopped after " + std::to_string(num_settled_) + " of " +
              CountText(num_trials, "trial") + "; --resume goes on");
      return std::nullopt;
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    return WriteReport(elapsed.count());
  }

 private:
  // A trial that was played or read, and what is still to be done about it.
  struct Slot {
    bool is_there = false;
    bool is_stored = false;
    bool gets_pictures = false;
    TrialRecord record;
  };

  bool IsAsked(PolicyKind kind) const { return setting_.asked == kind; }

  // A worker's life. An error of one stops all, a request to stop lets each finish its trial. The
  // simulator lives and dies on the worker's thread: what draws is bound to it.
  void Work() {
    const StopOnError guard(failed_);
    std::unique_ptr<TrialWorker> worker;
    while (!failed_ && !run_.stop_requested()) {
      const size_t item = next_++;
      if (item >= keys_.size()) return;
      Slot slot = ReadStored(item);
      if (!slot.is_there) {
        if (!worker) worker = MakeWorker();
        slot = {.is_there = true, .record = worker->Play(keys_[item])};
      }
      run_.progress().Advance(1, keys_[item].task + " " + ToWord(slot.record.result.termination));
      for (Slot* settled : Settle(item, std::move(slot))) Store(*settled, worker);
    }
  }

  // Nothing if it was not played. What was played is another trial if its scene is another one.
  Slot ReadStored(size_t item) const {
    const fs::path path = TrialFile(run_.out(), keys_[item]);
    if (!fs::exists(path)) return {};
    Slot slot{.is_there = true, .is_stored = true, .record = ReadTrial(run_.out(), keys_[item])};
    const TrialSpec& scene = scenes_[item];
    const TrialSpec& stored = slot.record.spec;
    if (stored.seed == scene.seed && stored.variation == scene.variation) return slot;
    throw FormatError({.where = path.string(),
                       .got = "a trial of variation " + std::to_string(stored.variation) +
                              ", seed " + std::to_string(stored.seed),
                       .expected = "variation " + std::to_string(scene.variation) + ", seed " +
                                   std::to_string(scene.seed),
                       .fix = "remove it, and --resume plays it again"});
  }

  // The first worker takes the parts that the options were checked with.
  std::unique_ptr<TrialWorker> MakeWorker() {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Env> env = env_ ? std::move(env_) : MakeEnv();
    std::unique_ptr<Policy> model = std::move(model_);
    if (!model && has_model_) model = MakeModel();
    return std::make_unique<TrialWorker>(setting_, demos_, std::move(env), std::move(model));
  }

  // Which trials are next in the order of the list, whoever finished first: the first successes and
  // failures of each task get pictures, and which they are depends on the order.
  std::vector<Slot*> Settle(size_t item, Slot slot) {
    const std::lock_guard lock(mutex_);
    slots_[item] = std::move(slot);
    std::vector<Slot*> settled;
    for (; num_settled_ < slots_.size() && slots_[num_settled_].is_there; ++num_settled_) {
      Slot& next = slots_[num_settled_];
      next.gets_pictures = !next.is_stored && tally_.IsDue(next.record);
      if (next.gets_pictures || !next.record.filmstrip.empty()) tally_.Count(next.record);
      if (!next.is_stored) settled.push_back(&next);
    }
    return settled;
  }

  // What cannot be written is no fault of the trial: it ends the run, and --resume plays it.
  void Store(Slot& slot, std::unique_ptr<TrialWorker>& worker) {
    if (slot.gets_pictures) {
      if (!worker) worker = MakeWorker();
      worker->TakePictures(slot.record, run_.out());
    }
    slot.record.result.plans.clear();
    slot.record.result.imagined.reset();
    WriteFileAtomic(TrialFile(run_.out(), keys_[static_cast<size_t>(&slot - slots_.data())]),
                    DumpJson(ToJson(slot.record), -1) + "\n");
  }

  std::unique_ptr<Policy> MakeModel() {
    const bool is_server = IsAsked(PolicyKind::kServer);
    if (is_server ? !parts_.connect : !parts_.make_model_policy) {
      throw ConfigError({.where = "--policy",
                         .got = '"' + setting_.options.policy + '"',
                         .expected = std::string("replay, null or still: this build has no ") +
                                     (is_server ? "client of policy servers" : "model policy"),
                         .fix = ""});
    }
    has_model_ = true;
    return is_server ? parts_.connect(setting_.options.policy) : parts_.make_model_policy();
  }

  void MakeEnvironment() {
    const RolloutOptions& options = setting_.options;
    needs_ = model_ ? model_->Needs() : PolicyNeeds{};
    served_ = model_ ? model_->Identity() : "";
    setting_.period_s = options.frame_period_s > 0  ? options.frame_period_s
                        : needs_.frame_period_s > 0 ? needs_.frame_period_s
                                                    : kDefaultFramePeriodS;
    env_ = MakeEnv();
    simulator_ = ToJson(env_->Identity());
    for (const auto& [key, value] : simulator_.items()) run_.Note(key, value);
    ReadCameras();
    CheckTasks();
    setting_.options.sensitivity = SensitivityVariants(setting_.options);
  }

  std::unique_ptr<Env> MakeEnv() const {
    const RolloutOptions& options = setting_.options;
    EnvOptions env_options;
    env_options.image_size = options.image_size > 0  ? options.image_size
                             : needs_.image_size > 0 ? needs_.image_size
                                                     : kDefaultImageSize;
    env_options.frame_period_s = setting_.period_s;
    env_options.camera_raise_deg = options.camera_raise_deg;
    if (parts_.make_env) return parts_.make_env(env_options);
    if (!options.IsImagined()) return MakeSimulator(options.simulator, env_options);
    RequireOwnOptions(options.simulator);
    if (parts_.make_imagined_env) return parts_.make_imagined_env(env_options);
    throw ConfigError({.where = "--env",
                       .got = "model",
                       .expected = "a simulator: this build reads no recorded scenes",
                       .fix = ""});
  }

  // Each tried once, before anything is written.
  void ReadCameras() {
    std::vector<std::string>& cameras = setting_.options.cameras;
    if (cameras.empty()) cameras = {kUsualCameras};
    // However angles are spelled.
    std::set<std::tuple<CameraRange, double, double, std::string>> known;
    for (const std::string& text : cameras) {
      const CameraWish wish = ParseCameraWish(text);
      const std::string file = wish.views.empty() ? "" : text;
      if (!known.insert({wish.range, wish.moved_deg, wish.within_deg, file}).second) {
        throw ConfigError({.where = "--cameras",
                           .got = '"' + text + "\" twice",
                           .expected = "each once",
                           .fix = ""});
      }
      env_->PlaceCameras(wish);
    }
    env_->PlaceCameras({});
  }

  // Trials of two tasks must not share their files.
  static void CheckFilesOf(const std::string& task, std::span<const std::string> earlier) {
    const auto found = std::ranges::find(earlier, TaskFileName(task), TaskFileName);
    if (found == earlier.end()) return;
    if (*found == task) {
      throw ConfigError({.where = "--task",
                         .got = '"' + task + "\" twice",
                         .expected = "each task once",
                         .fix = "raise --episodes for more trials"});
    }
    throw ConfigError({.where = "--task",
                       .got = '"' + task + "\" beside \"" + *found + '"',
                       .expected = "tasks whose names differ in letters and digits, as their files "
                                   "are called by them",
                       .fix = "roll them out apart, each into its own --out"});
  }

  void CheckTasks() {
    const std::vector<std::string> known = env_->Tasks();
    const RolloutOptions& options = setting_.options;
    std::vector<std::string>& tasks = setting_.options.task;
    if (tasks.empty()) tasks = env_->DefaultTasks();
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (std::find(known.begin(), known.end(), tasks[i]) == known.end()) {
        throw ConfigError({.where = "--task",
                           .got = '"' + tasks[i] + '"',
                           .expected = "one of " + Join(known),
                           .fix = DidYouMean(tasks[i], known)});
      }
      CheckFilesOf(tasks[i], std::span(tasks).first(i));
      if (options.variation >= env_->NumVariations(tasks[i])) {
        throw ConfigError({.where = "--variation",
                           .got = std::to_string(options.variation),
                           .expected = "below " + std::to_string(env_->NumVariations(tasks[i])) +
                                       ", the variations of " + tasks[i],
                           .fix = ""});
      }
      const bool needs_expert = IsAsked(PolicyKind::kReplay) || IsAsked(PolicyKind::kNull);
      if (needs_expert && env_->FramesWithoutExpert(tasks[i]) > 0) {
        throw ConfigError({.where = "--policy",
                           .got = options.policy + " for " + tasks[i],
                           .expected = "another policy: nobody demonstrates this task",
                           .fix = ""});
      }
    }
  }

  // Each shard has one that its tables can show.
  size_t NumScenes() const {
    return setting_.options.task.size() * static_cast<size_t>(setting_.options.episodes);
  }

  [[noreturn]] void RefuseShard() const {
    throw ConfigError({.where = "--shard",
                       .got = setting_.options.shard + ", a part without scenes",
                       .expected = "at most " + std::to_string(NumScenes()) + " parts, one a scene",
                       .fix = ""});
  }

  // Of the first cameras, as the report's tables are. They must have the scenes of all shards, and
  // a shard is compared on its own.
  void ReadComparisons() {
    const std::vector<TrialSpec> all = ComparedScenes(ListTrials(setting_.options));
    const std::vector<TrialSpec> own = ComparedScenes(keys_);
    comparisons_ = aim::ReadComparisons(setting_.options);
    for (auto& [folder, table] : comparisons_) {
      RequireSameScenes(all, table, folder);
      std::erase_if(table.rows, [&](const TrialOutcome& row) {
        return std::none_of(own.begin(), own.end(), [&](const TrialSpec& scene) {
          return scene.task == row.spec.task && scene.seed == row.spec.seed;
        });
      });
    }
  }

  std::vector<TrialSpec> ComparedScenes(const std::vector<TrialKey>& keys) const {
    std::vector<TrialSpec> scenes;
    for (const TrialKey& key : keys) {
      if (key.cameras != setting_.options.cameras.front() || !key.variant.empty()) continue;
      scenes.push_back(SceneOf(setting_, key, *env_));
    }
    return scenes;
  }

  // More cameras may be added; what a file has must stay.
  void KeepCameras(const std::string& cameras) const {
    const nlohmann::json settings = CameraSettings(cameras);
    if (!settings.is_object()) return;
    KeepSettings(run_.out() / "trials" / ("cameras" + FileNameEnd(cameras) + ".json"), settings);
  }

  // What must not change between a run and its continuation.
  nlohmann::json Settings() const {
    nlohmann::json settings = OptionsToJson(setting_.options);
    for (const char* free : {"task", "episodes", "compare", "num_videos", "picture_size", "cameras",
                             "env_python", "env_timeout_s", "workers", "sensitivity", "distractors",
                             "more_colours"}) {  // the last two are told by the simulator
      settings.erase(free);
    }
    settings["seed"] = run_.seed();
    if (IsAsked(PolicyKind::kModel)) {
      settings["model_content"] = FileStamp(setting_.options.model.model);
    }
    if (!served_.empty()) settings[kServed] = served_;
    settings.update(simulator_);
    return settings;
  }

  RolloutReport WriteReport(double elapsed_s) {
    RolloutResults results{.options = setting_.options,
                           .run_record = {{"version", Version()},
                                          {"revision", Revision()},
                                          {"seed", run_.seed()},
                                          {"device", run_.device()},
                                          {"seconds", elapsed_s},
                                          {"frame_period_s", setting_.period_s},
                                          {"peak_memory_bytes", PeakMemoryBytes()}},
                           .comparisons = std::move(comparisons_)};
    if (!served_.empty()) results.run_record["served"] = served_;
    results.run_record.update(simulator_);
    if (!LeftOut().empty()) results.run_record["left_out"] = LeftOut();
    for (Slot& slot : slots_) results.trials.push_back(std::move(slot.record));
    const RolloutReport report = WriteResults(results, run_.out());
    run_.CommitOut();
    LogInfo("the report is " + (run_.out() / "report.html").string());
    if (!report.imagination) run_.Note("mean_success", report.mean_success);
    run_.Note("num_trials", results.trials.size());
    return report;
  }

  const RolloutParts& parts_;
  RunContext& run_;
  const Shard shard_;
  RolloutSetting setting_;
  DemoStore demos_;
  PolicyNeeds needs_;
  std::string served_;
  nlohmann::json simulator_;  // which one, and what was chosen of it
  bool has_model_ = false;
  std::vector<std::pair<std::string, TrialTable>> comparisons_;
  std::vector<TrialKey> keys_;
  std::vector<TrialSpec> scenes_;  // one a key
  std::atomic<size_t> next_{0};
  std::atomic<bool> failed_{false};

  std::mutex mutex_;               // guards what follows, while workers are at work
  std::unique_ptr<Policy> model_;  // of the first worker, as is the simulator
  std::unique_ptr<Env> env_;
  std::vector<Slot> slots_;  // one a trial
  size_t num_settled_ = 0;
  PictureTally tally_;
};

}  // namespace

std::optional<RolloutReport> RunRollout(const RolloutOptions& options, RunContext& run,
                                        const RolloutParts& parts) {
  return Rollout(options, run, parts).Run();
}

std::string ServedBefore(const RunContext& run) {
  const fs::path file = SettingsFile(run);
  if (!run.common().resume || !fs::exists(file)) return "";
  const nlohmann::json settings = ParseJson(ReadFile(file));
  const auto served = settings.is_object() ? settings.find(kServed) : settings.end();
  return served != settings.end() && served->is_string() ? served->get<std::string>() : "";
}

}  // namespace aim
