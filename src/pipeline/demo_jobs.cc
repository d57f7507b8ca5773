#include "pipeline/demo_jobs.h"

#include <algorithm>
#include <charconv>
#include <exception>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/name_list.h"
#include "aim/base/options.h"
#include "aim/base/parallel.h"
#include "aim/base/rng.h"
#include "aim/base/run_settings.h"
#include "aim/base/text.h"

namespace aim {
namespace {

int VariationNumber(const std::string& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    throw ConfigError({.where = "variations",
                       .got = "\"" + text + "\"",
                       .expected = "whole numbers from 0",
                       .fix = ""});
  }
  return number;
}

std::vector<std::string> ChosenTasks(const DemoCollectionOptions& options, const Env& env) {
  const std::vector<std::string> known = env.Tasks();
  std::vector<std::string> tasks = SplitNames(options.task);
  if (tasks.empty()) {
    tasks = env.DefaultTasks();
    std::erase_if(tasks, [&](const auto& task) { return env.FramesWithoutExpert(task) > 0; });
    return tasks;
  }
  for (const std::string& task : tasks) {
    if (std::find(known.begin(), known.end(), task) == known.end()) {
      throw ConfigError({.where = "--task",
                         .got = "\"" + task + "\"",
                         .expected = "a task of this environment (" + Join(known) + ")",
                         .fix = DidYouMean(task, known)});
    }
    if (env.FramesWithoutExpert(task) > 0) {
      throw ConfigError({.where = "--task",
                         .got = '"' + task + '"',
                         .expected = "a task with a scripted expert: nobody demonstrates this one",
                         .fix = ""});
    }
  }
  return tasks;
}

std::vector<int> ChosenVariations(const DemoCollectionOptions& options, const std::string& task,
                                  int count) {
  std::vector<int> variations;
  for (const std::string& text : SplitNames(options.variations)) {
    variations.push_back(VariationNumber(text));
    if (variations.back() < count) continue;
    throw ConfigError(
        {.where = "variations",
         .got = text,
         .expected = "below " + std::to_string(count) + ", the number that " + task + " has",
         .fix = ""});
  }
  if (variations.empty()) {
    for (int i = 0; i < count; ++i) variations.push_back(i);
  }
  return variations;
}

// Seed of an attempt after the first: 48 bits (a JSON number in every language), far from the small
// numbers that people choose.
uint64_t AttemptSeed(const DemoJob& job, int attempt) {
  if (attempt == 0) return job.seed;
  return (StableHash(job.task + "/attempt" + std::to_string(attempt), job.seed) >> 17) |
         (uint64_t{1} << 47);
}

// A simulator that is lost, or says that it cannot demonstrate this scene, is asked once more. Then
// it is the scene: no success. `last` is set to why.
Demonstration DemoOrNone(const DemoJob& job, Env& env, uint64_t seed, std::exception_ptr& last) {
  last = nullptr;
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      return env.Demo(job.task, job.variation, seed);
    } catch (const IoError& error) {
      LogWarning(job.Name() + ", seed " + std::to_string(seed) + ": " + error.what());
      last = std::current_exception();
    }
  }
  return {};
}

}  // namespace

std::vector<DemoJob> MakeDemoJobs(const DemoCollectionOptions& options, const Env& env) {
  const std::vector<std::string> tasks = ChosenTasks(options, env);
  std::vector<std::vector<int>> variations;
  variations.reserve(tasks.size());
  for (const std::string& task : tasks) {
    variations.push_back(ChosenVariations(options, task, env.NumVariations(task)));
  }
  std::vector<DemoJob> jobs;
  for (int index = 0; index < options.episodes; ++index) {
    for (size_t task = 0; task < tasks.size(); ++task) {
      const size_t turn = static_cast<size_t>(index) % variations[task].size();
      jobs.push_back({.task = tasks[task],
                      .variation = variations[task][turn],
                      .index = index,
                      .seed = options.first_seed + static_cast<uint64_t>(index)});
    }
  }
  return jobs;
}

void CheckVariationNumbers(const std::vector<std::string>& variations) {
  for (const std::string& text : SplitNames(variations)) VariationNumber(text);
}

void DemoCounts::Count(const DemoJob& job, int64_t DemoReport::Counts::*what) {
  const std::lock_guard lock(mutex_);
  ++(counts_[job.task].*what);
}

void DemoCounts::Fail(const DemoJob& job) {
  const std::lock_guard lock(mutex_);
  failed_.push_back({job.Name(), kMaxDemoAttempts});
}

DemoReport DemoCounts::Report() const {
  const std::lock_guard lock(mutex_);
  DemoReport report{.all = {}, .tasks = counts_, .failed = failed_, .cache = {}};
  for (const auto& [task, counts] : counts_) {
    report.all.written += counts.written;
    report.all.existing += counts.existing;
    report.all.elsewhere += counts.elsewhere;
    report.all.retried += counts.retried;
  }
  return report;
}

std::optional<Episode> MakeDemo(const DemoJob& job, Env& env, const std::atomic<bool>& stop,
                                DemoCounts& counts) {
  std::exception_ptr last;
  for (int attempt = 0; attempt < kMaxDemoAttempts && !stop; ++attempt) {
    const uint64_t seed = AttemptSeed(job, attempt);
    Demonstration demo = DemoOrNone(job, env, seed, last);
    if (!demo.success) {
      counts.Count(job, &DemoReport::Counts::retried);
      continue;
    }
    Episode episode;
    episode.task = job.task;
    episode.variation = job.variation;
    episode.seed = seed;
    episode.measured = std::move(demo.clip.poses);
    episode.clip = std::move(demo.clip);
    episode.clip.poses = std::move(demo.commands);
    return episode;
  }
  if (last) std::rethrow_exception(last);
  if (!stop) counts.Fail(job);
  return std::nullopt;
}

nlohmann::json CollectionSettings(const DemoCollectionOptions& options, const Env& env) {
  nlohmann::json settings = ToJson(env.Identity());
  settings.update({{"format", "aim-demos-1"},
                   {"env", options.simulator.env},
                   {"cameras", CameraSettings(options.cameras)},
                   {"first_seed", options.first_seed},
                   {"variations", SplitNames(options.variations)},
                   {"image_size", options.image_size},
                   {"frame_period_s", options.frame_period_s},
                   {"camera_raise_deg", options.camera_raise_deg}});
  return settings;
}

std::unique_ptr<Env> MakeDemoEnv(const DemoCollectionOptions& options, const EnvFactory& make_env) {
  std::unique_ptr<Env> env = make_env({.image_size = options.image_size,
                                       .frame_period_s = options.frame_period_s,
                                       .camera_raise_deg = options.camera_raise_deg});
  env->PlaceCameras(ParseCameraWish(options.cameras));
  return env;
}

std::vector<DemoJob> BeginCollection(const DemoCollectionOptions& options, const Env& env,
                                     RunContext& run, const nlohmann::json& settings) {
  std::vector<DemoJob> jobs = MakeDemoJobs(options, env);
  const nlohmann::json identity = ToJson(env.Identity());
  for (const auto& [key, value] : identity.items()) run.Note(key, value);
  run.PrepareOutFolder(OutUse::kShared);
  KeepSettings(run.out() / "collection.json", settings);
  return jobs;
}

int NumDemoWorkers(const DemoCollectionOptions& options, size_t num_jobs) {
  const int asked = options.num_workers > 0 ? options.num_workers : NumProcessors();
  return static_cast<int>(std::min(static_cast<size_t>(asked), num_jobs));
}

}  // namespace aim
