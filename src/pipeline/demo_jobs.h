// Which demonstrations a collection has, and how one of them comes about.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/control/env.h"
#include "aim/data/episode.h"
#include "aim/pipeline/demo_collection.h"

namespace aim {

inline constexpr int kMaxDemoAttempts = 10;

struct DemoJob {
  std::string task;
  int variation = 0;
  int index = 0;
  uint64_t seed = 0;

  std::string Name() const { return EpisodeName(task, variation, index); }
};

// Episode by episode through all tasks, so that a collection that was stopped early is balanced.
// Throws ConfigError for unknown tasks and variations, and tasks that nobody demonstrates.
std::vector<DemoJob> MakeDemoJobs(const DemoCollectionOptions& options, const Env& env);

// Throws ConfigError unless all are whole numbers from 0.
void CheckVariationNumbers(const std::vector<std::string>& variations);

// Counts of all threads.
class DemoCounts {
 public:
  void Count(const DemoJob& job, int64_t DemoReport::Counts::*what);
  void Fail(const DemoJob& job);
  DemoReport Report() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, DemoReport::Counts> counts_;
  std::vector<DemoReport::Failed> failed_;
};

// The first success of up to kMaxDemoAttempts seeds. Attempts and their end are counted. Nothing
// where none succeeds, or when `stop` is raised between two. A simulator that is lost is tried once
// more with the same seed, then with the next one; IoError if the last seed ends so, too.
std::optional<Episode> MakeDemo(const DemoJob& job, Env& env, const std::atomic<bool>& stop,
                                DemoCounts& counts);

// Where they go: video files (not in a core build: ConfigError), or a latent cache.
DemoReport CollectVideos(const DemoCollectionOptions& options, const EnvFactory& make_env,
                         RunContext& run);
DemoReport CollectIntoCache(const DemoCollectionOptions& options, const EnvFactory& make_env,
                            RunContext& run);

// What episodes side by side have in common: with other options seeds would not mean the same.
nlohmann::json CollectionSettings(const DemoCollectionOptions& options, const Env& env);

// What both do first: check the options, and that the folder is new or was begun with `settings`.
std::vector<DemoJob> BeginCollection(const DemoCollectionOptions& options, const Env& env,
                                     RunContext& run, const nlohmann::json& settings);

// The simulator that they are recorded in, its cameras placed.
std::unique_ptr<Env> MakeDemoEnv(const DemoCollectionOptions& options, const EnvFactory& make_env);

int NumDemoWorkers(const DemoCollectionOptions& options, size_t num_jobs);

}  // namespace aim
