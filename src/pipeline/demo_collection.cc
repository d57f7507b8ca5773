#include "aim/pipeline/demo_collection.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <exception>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/base/run_settings.h"
#include "aim/data/action_images.h"
#include "pipeline/episode_claim.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMaxAttempts = 10;

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

struct Job {
  std::string task;
  int variation = 0;
  int index = 0;
  uint64_t seed = 0;
};

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> ChosenTasks(const DemoCollectionOptions& options, const Env& env) {
  const std::vector<std::string> known = env.Tasks();
  if (options.task.empty()) return known;
  for (const std::string& task : options.task) {
    if (std::find(known.begin(), known.end(), task) == known.end()) {
      throw ConfigError({.where = "task",
                         .got = "\"" + task + "\"",
                         .expected = "a task of this environment (" + Joined(known) + ")",
                         .fix = ""});
    }
  }
  return options.task;
}

std::vector<int> ChosenVariations(const DemoCollectionOptions& options, const std::string& task,
                                  int count) {
  std::vector<int> variations;
  for (const std::string& text : options.variations) {
    variations.push_back(VariationNumber(text));
    if (variations.back() < count) continue;
    throw ConfigError(
        {.where = "variations",
         .got = text,
         .expected = "below " + std::to_string(count) + ", the number that " + task + " has",
         .fix = ""});
  }
  if (options.variations.empty()) {
    for (int i = 0; i < count; ++i) variations.push_back(i);
  }
  return variations;
}

// Episode by episode through all tasks, so that a collection that was stopped early is balanced.
std::vector<Job> MakeJobs(const DemoCollectionOptions& options, const Env& env) {
  const std::vector<std::string> tasks = ChosenTasks(options, env);
  std::vector<std::vector<int>> variations;
  for (const std::string& task : tasks) {
    variations.push_back(ChosenVariations(options, task, env.NumVariations(task)));
  }
  std::vector<Job> jobs;
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

// Seed of an attempt after the first: 48 bits (a JSON number in every language), far from the small
// numbers that people choose.
uint64_t AttemptSeed(const Job& job, int attempt) {
  if (attempt == 0) return job.seed;
  return (StableHash(job.task + "/attempt" + std::to_string(attempt), job.seed) >> 17) |
         (uint64_t{1} << 47);
}

// Episodes made with other options must not lie side by side: seeds would not mean the same.
void CheckSameCollection(const DemoCollectionOptions& options, const fs::path& folder) {
  const json mine = {{"format", "aim-demos-1"},
                     {"first_seed", options.first_seed},
                     {"variations", options.variations},
                     {"image_size", options.image_size},
                     {"frame_period_s", options.frame_period_s}};
  KeepSettings(folder / "collection.json", mine);
}

// Work and results shared by the worker threads.
class Collection {
 public:
  Collection(const DemoCollectionOptions& options, const EnvFactory& make_env,
             std::vector<Job> jobs, RunContext& run)
      : options_(options), make_env_(make_env), jobs_(std::move(jobs)), run_(run) {}

  // A worker's life. An error of one stops all; the caller sees it.
  void Work() {
    const StopOnError guard(stop_);
    std::unique_ptr<Env> env;
    while (!stop_) {
      const size_t next = next_job_++;
      if (next >= jobs_.size()) return;
      Do(jobs_[next], env);
      run_.progress().Advance(1, jobs_[next].task);
    }
  }

  DemoReport Report() const {
    DemoReport report{.all = {}, .tasks = counts_, .failed = failed_};
    for (const auto& [task, counts] : counts_) {
      report.all.written += counts.written;
      report.all.existing += counts.existing;
      report.all.elsewhere += counts.elsewhere;
      report.all.retried += counts.retried;
    }
    return report;
  }

 private:
  using Counts = DemoReport::Counts;

  // Stops the other workers when this one leaves through an exception.
  struct StopOnError {
    explicit StopOnError(std::atomic<bool>& flag) : stop(flag) {}
    ~StopOnError() {
      if (std::uncaught_exceptions() > 0) stop = true;
    }
    std::atomic<bool>& stop;
  };

  void Do(const Job& job, std::unique_ptr<Env>& env) {
    const fs::path folder = EpisodeFolder(run_.out(), job.task, job.variation, job.index);
    if (fs::exists(folder)) return Count(job, &Counts::existing);
    const std::optional<EpisodeClaim> claim = EpisodeClaim::Take(folder);
    if (!claim) return Count(job, &Counts::elsewhere);
    // Another process may have finished it between the look and the claim.
    if (fs::exists(folder)) return Count(job, &Counts::existing);
    if (env == nullptr) {
      env =
          make_env_({.image_size = options_.image_size, .frame_period_s = options_.frame_period_s});
    }
    for (int attempt = 0; attempt < kMaxAttempts && !stop_; ++attempt) {
      const uint64_t seed = AttemptSeed(job, attempt);
      Demonstration demo = env->Demo(job.task, job.variation, seed);
      if (demo.success) {
        Write(folder, job, seed, std::move(demo));
        return Count(job, &Counts::written);
      }
      Count(job, &Counts::retried);
    }
    if (stop_) return;
    const std::lock_guard lock(mutex_);
    failed_.push_back({EpisodeName(job.task, job.variation, job.index), kMaxAttempts});
  }

  static void Write(const fs::path& folder, const Job& job, uint64_t seed, Demonstration demo) {
    Episode episode;
    episode.task = job.task;
    episode.variation = job.variation;
    episode.seed = seed;
    episode.measured = std::move(demo.clip.poses);
    episode.clip = std::move(demo.clip);
    episode.clip.poses = std::move(demo.commands);
    WriteEpisode(folder, episode);
  }

  void Count(const Job& job, int64_t Counts::*what) {
    const std::lock_guard lock(mutex_);
    ++(counts_[job.task].*what);
  }

  const DemoCollectionOptions& options_;
  const EnvFactory& make_env_;
  const std::vector<Job> jobs_;
  RunContext& run_;
  std::atomic<size_t> next_job_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::map<std::string, Counts> counts_;
  std::vector<DemoReport::Failed> failed_;
};

json CountsJson(const DemoReport::Counts& counts) {
  return {{"episodes", counts.written + counts.existing},
          {"written", counts.written},
          {"existing", counts.existing},
          {"in_progress_elsewhere", counts.elsewhere},
          {"retried", counts.retried}};
}

size_t NumWorkers(const DemoCollectionOptions& options, size_t num_jobs) {
  const size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const size_t asked = options.num_workers > 0 ? static_cast<size_t>(options.num_workers) : cores;
  return std::min(asked, num_jobs);
}

}  // namespace

void DemoCollectionOptions::Validate() const {
  CheckRanges(*this);
  for (const std::string& text : variations) VariationNumber(text);
}

nlohmann::json ToJson(const DemoReport& report) {
  json object = CountsJson(report.all);
  object["failed"] = json::array();
  for (const DemoReport::Failed& failed : report.failed)
    object["failed"].push_back({{"episode", failed.episode}, {"attempts", failed.attempts}});
  object["tasks"] = json::object();
  for (const auto& [task, counts] : report.tasks) object["tasks"][task] = CountsJson(counts);
  return object;
}

DemoReport RunDemoCollection(const DemoCollectionOptions& options, const EnvFactory& make_env,
                             RunContext& run) {
  options.Validate();
  if (run.out().empty()) {
    throw ConfigError({.where = "--out", .got = "missing", .expected = "a folder", .fix = ""});
  }
  std::vector<Job> jobs = MakeJobs(options, *make_env({.image_size = options.image_size,
                                                       .frame_period_s = options.frame_period_s}));
  run.PrepareOutFolder();
  CheckSameCollection(options, run.out());
  const size_t num_workers = NumWorkers(options, jobs.size());
  run.progress().Start("demonstrations", static_cast<int64_t>(jobs.size()));
  Collection collection(options, make_env, std::move(jobs), run);
  std::vector<std::future<void>> workers;
  for (size_t worker = 0; worker < num_workers; ++worker) {
    workers.push_back(std::async(std::launch::async, [&collection] { collection.Work(); }));
  }
  for (std::future<void>& worker : workers) worker.wait();
  for (std::future<void>& worker : workers) worker.get();  // rethrows
  run.progress().Finish();
  const DemoReport report = collection.Report();
  if (report.all.written + report.all.existing > 0) WriteVariationDescriptions(run.out());
  run.Note("demos", ToJson(report));
  return report;
}

}  // namespace aim
