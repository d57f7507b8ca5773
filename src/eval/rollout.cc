#include "aim/eval/rollout.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/log.h"
#include "aim/base/parse_json.h"
#include "aim/base/rng.h"
#include "aim/base/run_settings.h"
#include "aim/base/text.h"
#include "aim/eval/trial_record.h"
#include "eval/pictures.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr int kDefaultImageSize = 64;
constexpr double kDefaultFramePeriodS = 0.12;
constexpr int kStripFrames = 8;
constexpr uint64_t kSeedsARun = 100000;

// Which trial of which task, with which cameras.
struct TrialIndex {
  std::string task;
  int trial = 0;
  size_t cameras = 0;
};

// Of files of a trial: "reach_target_3", "reach_target_3_moved_30".
std::string FileNamePart(const std::string& cameras) {
  if (cameras == kUsualCameras) return "";
  std::string part = "_" + cameras;
  for (char& letter : part) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return part;
}

class Rollout {
 public:
  Rollout(const RolloutOptions& options, RunContext& run, const RolloutParts& parts)
      : options_(options), run_(run) {
    options_.Validate();
    asked_ = options_.Kind();
    if (asked_ == PolicyKind::kModel || asked_ == PolicyKind::kServer) MakeModel(parts);
    MakeEnvironment(parts);
    ReadComparisons();
  }

  RolloutReport Run() {
    const auto begin = std::chrono::steady_clock::now();
    run_.PrepareOutFolder(OutUse::kResumable);
    KeepSettings(run_.out() / "trials" / "settings.json", Settings());
    const size_t num_trials =
        cameras_.size() * tasks_.size() * static_cast<size_t>(options_.episodes);
    run_.progress().Start("rollout", static_cast<int64_t>(num_trials));
    for (size_t cameras = 0; cameras < cameras_.size(); ++cameras) {
      env_->PlaceCameras(cameras_[cameras]);
      for (const std::string& task : tasks_) PlayTask(task, cameras);
    }
    run_.progress().Finish();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    return WriteResults(elapsed.count());
  }

 private:
  void PlayTask(const std::string& task, size_t cameras) {
    for (int trial = 0; trial < options_.episodes; ++trial) {
      trials_.push_back(LoadOrPlay({task, trial, cameras}));
      const TrialResult& result = trials_.back().result;
      run_.progress().Advance(1, task + " " + ToWord(result.termination));
    }
  }

  void MakeModel(const RolloutParts& parts) {
    const bool is_server = asked_ == PolicyKind::kServer;
    if (is_server ? !parts.connect : !parts.make_model_policy) {
      throw ConfigError({.where = "--policy",
                         .got = '"' + options_.policy + '"',
                         .expected = std::string("replay, null or still: this build has no ") +
                                     (is_server ? "client of policy servers" : "model policy"),
                         .fix = ""});
    }
    model_ = is_server ? parts.connect(options_.policy) : parts.make_model_policy();
  }

  void MakeEnvironment(const RolloutParts& parts) {
    const PolicyNeeds needs = model_ ? model_->Needs() : PolicyNeeds{};
    const auto choose = [](auto asked, auto needed, auto otherwise) {
      return asked > 0 ? asked : needed > 0 ? needed : otherwise;
    };
    EnvOptions env_options;
    env_options.image_size = choose(options_.image_size, needs.image_size, kDefaultImageSize);
    period_s_ = choose(options_.frame_period_s, needs.frame_period_s, kDefaultFramePeriodS);
    env_options.frame_period_s = period_s_;
    env_options.camera_raise_deg = options_.camera_raise_deg;
    env_ = parts.make_env ? parts.make_env(env_options)
                          : MakeSimulator(options_.simulator, env_options);
    ReadCameras();
    CheckTasks();
  }

  // Each tried once, before anything is written.
  void ReadCameras() {
    if (options_.cameras.empty()) options_.cameras = {kUsualCameras};
    for (size_t i = 0; i < options_.cameras.size(); ++i) {
      const auto begin = options_.cameras.begin();
      const auto end = begin + static_cast<std::ptrdiff_t>(i);
      if (std::find(begin, end, options_.cameras[i]) != end) {
        throw ConfigError({.where = "--cameras",
                           .got = '"' + options_.cameras[i] + "\" twice",
                           .expected = "each once",
                           .fix = ""});
      }
      cameras_.push_back(ParseCameraWish(options_.cameras[i]));
      env_->PlaceCameras(cameras_.back());
    }
  }

  void CheckTasks() {
    const std::vector<std::string> known = env_->Tasks();
    tasks_ = options_.task.empty() ? known : options_.task;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      if (std::find(known.begin(), known.end(), tasks_[i]) == known.end()) {
        throw ConfigError({.where = "--task",
                           .got = '"' + tasks_[i] + '"',
                           .expected = "one of " + Join(known),
                           .fix = ""});
      }
      if (std::find(tasks_.begin(), tasks_.begin() + static_cast<std::ptrdiff_t>(i), tasks_[i]) !=
          tasks_.begin() + static_cast<std::ptrdiff_t>(i)) {
        throw ConfigError({.where = "--task",
                           .got = '"' + tasks_[i] + "\" twice",
                           .expected = "each task once",
                           .fix = "raise --episodes for more trials"});
      }
      if (options_.variation >= env_->NumVariations(tasks_[i])) {
        throw ConfigError({.where = "--variation",
                           .got = std::to_string(options_.variation),
                           .expected = "below " + std::to_string(env_->NumVariations(tasks_[i])) +
                                       ", the variations of " + tasks_[i],
                           .fix = ""});
      }
      const bool needs_expert = asked_ == PolicyKind::kReplay || asked_ == PolicyKind::kNull;
      if (needs_expert && env_->FramesWithoutExpert(tasks_[i]) > 0) {
        throw ConfigError({.where = "--policy",
                           .got = options_.policy + " for " + tasks_[i],
                           .expected = "another policy: nobody demonstrates this task",
                           .fix = ""});
      }
    }
  }

  // Of the first cameras, as the report's tables are.
  void ReadComparisons() {
    std::vector<TrialSpec> scenes;
    for (const std::string& task : tasks_) {
      for (int trial = 0; trial < options_.episodes; ++trial) {
        scenes.push_back(Spec({task, trial, 0}));
      }
    }
    for (const std::string& folder : options_.compare) {
      comparisons_.emplace_back(folder, ReadTrialsCsv(fs::path(folder) / "episodes.csv"));
      std::erase_if(comparisons_.back().second.rows, [&](const TrialOutcome& row) {
        return row.spec.cameras != options_.cameras.front();
      });
      RequireSameScenes(scenes, comparisons_.back().second, folder);
    }
  }

  // What must not change between a run and its continuation.
  nlohmann::json Settings() const {
    nlohmann::json settings = OptionsToJson(options_);
    for (const char* free : {"task", "episodes", "compare", "num_videos", "picture_size", "cameras",
                             "env_python", "env_timeout_s"}) {
      settings.erase(free);
    }
    settings["seed"] = run_.seed();
    if (asked_ == PolicyKind::kModel) settings["model_content"] = FileStamp(options_.model.model);
    if (asked_ == PolicyKind::kServer) settings["served"] = model_->Identity();
    return settings;
  }

  TrialSpec Spec(const TrialIndex& index) const {
    const int variations = env_->NumVariations(index.task);
    return {.task = index.task,
            .variation = options_.variation >= 0 ? options_.variation : index.trial % variations,
            .seed = static_cast<uint64_t>(options_.first_seed) + kSeedsARun * run_.seed() +
                    static_cast<uint64_t>(index.trial),
            .cameras = options_.cameras[index.cameras]};
  }

  TrialRecord LoadOrPlay(const TrialIndex& index) {
    const std::string name = index.task + "_" + std::to_string(index.trial) +
                             FileNamePart(options_.cameras[index.cameras]);
    const fs::path path = run_.out() / "trials" / (name + ".json");
    TrialRecord record;
    if (fs::exists(path)) {
      const nlohmann::json stored = ParseJson(ReadFile(path));
      record = TrialRecordFromJson(stored, path.string());
      if (!record.filmstrip.empty()) ++NumStrips(record);
      return record;
    }
    record = PlayGuarded(index);
    // What cannot be written is no fault of the trial: it ends the run, and --resume plays it.
    if (record.result.error.empty()) TakePictures(record);
    WriteFileAtomic(path, DumpJson(ToJson(record), -1) + "\n");
    return record;
  }

  // A trial that throws is played again once, with the same seed; then it is listed as invalid.
  TrialRecord PlayGuarded(const TrialIndex& index) {
    TrialRecord record;
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        record = Play(index);
        record.num_reruns = attempt;
        return record;
      } catch (const ConfigError&) {
        throw;
      } catch (const InternalError&) {
        throw;
      } catch (const std::exception& error) {
        LogWarning(index.task + " trial " + std::to_string(index.trial) +
                   " failed: " + error.what());
        record = {};
        record.result.error = error.what();
      }
      demos_.clear();
    }
    record.trial = index.trial;
    record.spec = Spec(index);
    record.num_reruns = 1;
    return record;
  }

  TrialRecord Play(const TrialIndex& index) {
    TrialRecord record;
    record.trial = index.trial;
    record.spec = Spec(index);
    const int frames_without_expert = env_->FramesWithoutExpert(index.task);
    const std::shared_ptr<const Demonstration> demo =
        frames_without_expert > 0 ? nullptr : Demo(record.spec);
    if (demo) record.demo_frames = static_cast<int>(demo->clip.poses.size());
    TrialRules rules =
        Rules(demo ? static_cast<int>(demo->commands.size()) - 1 : frames_without_expert);
    if (demo) {
      const TrialSpec other = Spec({index.task, index.trial + 1, index.cameras});
      PlayReplays(*demo, other, index.cameras == 0, rules, record);
    }
    if (IsPlayed(PolicyKind::kStill, index.cameras == 0)) {
      const int num_frames = demo ? static_cast<int>(demo->commands.size()) : frames_without_expert;
      StillPolicy still(num_frames, period_s_);
      record.references["still"] = Act(still, record.spec, rules);
    }
    if (model_) {
      rules.execution.ramp_frames = options_.ramp_frames;
      record.result = Act(*model_, record.spec, rules);
    } else {
      record.result = record.references.at(asked_ == PolicyKind::kReplay ? "gate" : ToWord(asked_));
    }
    if (demo) record.distance = DistanceToExpert(record.result.plans.front(), *demo, period_s_);
    return record;
  }

  // Cameras are nothing to the references: they are played once a scene.
  bool IsPlayed(PolicyKind reference, bool is_first_cameras) const {
    return asked_ == reference || (options_.references && is_first_cameras);
  }

  void PlayReplays(const Demonstration& demo, const TrialSpec& other, bool is_first_cameras,
                   const TrialRules& rules, TrialRecord& record) {
    if (IsPlayed(PolicyKind::kReplay, is_first_cameras)) {
      ReplayPolicy gate(demo.commands, period_s_);
      record.references["gate"] = Act(gate, record.spec, rules);
    }
    if (IsPlayed(PolicyKind::kNull, is_first_cameras)) {
      ReplayPolicy null_policy(Demo(other)->commands, period_s_);
      record.references["null"] = Act(null_policy, record.spec, rules);
    }
  }

  TrialRules Rules(int demo_steps) const {
    TrialRules rules;
    rules.execution = {
        .horizon = options_.replan, .ramp_frames = 0, .min_confidence = options_.min_confidence};
    rules.period_s = period_s_;
    rules.max_env_steps = static_cast<int>(std::ceil(options_.max_steps_factor * demo_steps));
    rules.hold_env_steps = options_.hold_steps;
    rules.max_ik_failures = options_.max_ik_failures;
    return rules;
  }

  TrialResult Act(Policy& policy, const TrialSpec& spec, const TrialRules& rules) {
    const std::string scene =
        spec.task + "|" + std::to_string(spec.variation) + "|" + std::to_string(spec.seed);
    return PlayTrial(*env_, policy, spec, StableHash(scene, run_.seed()), rules);
  }

  // The scripted expert's commands in a scene. The null policy of a trial comes from the next one's
  // scene, so the last two are kept.
  std::shared_ptr<const Demonstration> Demo(const TrialSpec& spec) {
    for (const auto& [known, demo] : demos_) {
      if (known.task == spec.task && known.variation == spec.variation && known.seed == spec.seed) {
        return demo;
      }
    }
    auto demo =
        std::make_shared<const Demonstration>(env_->Plan(spec.task, spec.variation, spec.seed));
    if (demo->commands.size() < 2 || demo->clip.poses.size() < 2) {
      throw IoError(
          {.where = "the demonstration of " + spec.task + " seed " + std::to_string(spec.seed),
           .got = std::to_string(demo->commands.size()) + " frames long",
           .expected = "at least 2",
           .fix = ""});
    }
    if (demos_.size() == 2) demos_.pop_front();
    demos_.emplace_back(spec, demo);
    return demo;
  }

  // The first successes and failures of each task get a filmstrip and videos.
  void TakePictures(TrialRecord& record) {
    int& taken = NumStrips(record);
    if (taken >= options_.num_videos) return;
    const std::string name = record.spec.task + "_" + std::to_string(record.spec.seed) +
                             FileNamePart(record.spec.cameras) +
                             (record.result.success ? "_success" : "_failure");
    const std::optional<TrialPictures> played = PlayForPictures(record, name);
    if (!played) return;
    const TrialPictures& pictures = *played;
    if (!pictures.same_outcome) {
      LogWarning(name + ": played again for its pictures, the trial ended otherwise");
    }
    const fs::path strip =
        WriteFilmstrip(TrialFilmstrip(pictures, kStripFrames), run_.out() / "filmstrips" / name);
    record.filmstrip = "filmstrips/" + strip.filename().string();
    const fs::path stem = run_.out() / "videos" / name;
    for (const fs::path& path : WriteTrialVideos(pictures, 1 / period_s_, stem)) {
      record.videos.push_back("videos/" + path.filename().string());
    }
    ++taken;
  }

  // None if the simulator is lost twice: the trial counts all the same.
  std::optional<TrialPictures> PlayForPictures(const TrialRecord& record, const std::string& name) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        return RenderTrial(*env_, record.spec, record.result, options_.picture_size);
      } catch (const IoError& error) {
        LogWarning(name + ": played again for its pictures, it failed: " + error.what());
      }
    }
    return std::nullopt;
  }

  int& NumStrips(const TrialRecord& record) {
    return num_strips_[{record.spec.task, record.spec.cameras, record.result.success}];
  }

  RolloutReport WriteResults(double elapsed_s) {
    const fs::path& out = run_.out();
    WriteFileAtomic(out / "episodes.csv", TrialsCsv(trials_, options_.policy));
    if (options_.references) {
      for (const char* reference : {"gate", "null", "still"}) {
        WriteFileAtomic(out / (std::string(reference) + ".csv"), ReferenceCsv(trials_, reference));
      }
    }
    ReportSubject subject;
    subject.title = (asked_ == PolicyKind::kModel    ? options_.model.model
                     : asked_ == PolicyKind::kServer ? options_.policy
                                                     : options_.policy + " policy") +
                    " in " + options_.simulator.env;
    subject.policy = options_.policy;
    subject.seed = run_.seed();
    subject.replan = options_.replan;
    subject.options = OptionsToJson(options_);
    subject.run_record = {{"version", Version()},
                          {"revision", Revision()},
                          {"seed", run_.seed()},
                          {"device", run_.device()},
                          {"seconds", elapsed_s},
                          {"frame_period_s", period_s_},
                          {"peak_memory_bytes", PeakMemoryBytes()}};
    if (asked_ == PolicyKind::kServer) subject.run_record["served"] = model_->Identity();
    if (!LeftOut().empty()) subject.run_record["left_out"] = LeftOut();
    RolloutReport report = MakeReport(subject, trials_);
    for (const auto& [folder, table] : comparisons_) {
      report.compare.push_back(CompareRollouts(OfFirstCameras(), table, folder, run_.seed()));
    }
    WriteFileAtomic(out / "report.json", DumpJson(ToJson(report), 2) + "\n");
    WriteFileAtomic(out / "report.html", ReportHtml(report, out));
    run_.CommitOut();
    LogInfo("the report is " + (run_.out() / "report.html").string());
    run_.Note("mean_success", report.mean_success);
    run_.Note("num_trials", trials_.size());
    return report;
  }

  std::vector<TrialRecord> OfFirstCameras() const {
    std::vector<TrialRecord> trials = trials_;
    std::erase_if(trials, [&](const TrialRecord& trial) {
      return trial.spec.cameras != options_.cameras.front();
    });
    return trials;
  }

  RolloutOptions options_;
  RunContext& run_;
  std::unique_ptr<Policy> model_;
  std::unique_ptr<Env> env_;
  PolicyKind asked_ = PolicyKind::kModel;
  double period_s_ = 0;
  std::vector<std::string> tasks_;
  std::vector<std::pair<std::string, TrialTable>> comparisons_;
  std::deque<std::pair<TrialSpec, std::shared_ptr<const Demonstration>>> demos_;
  std::vector<CameraWish> cameras_;
  std::map<std::tuple<std::string, std::string, bool>, int> num_strips_;
  std::vector<TrialRecord> trials_;
};

}  // namespace

RolloutReport RunRollout(const RolloutOptions& options, RunContext& run,
                         const RolloutParts& parts) {
  return Rollout(options, run, parts).Run();
}

}  // namespace aim
