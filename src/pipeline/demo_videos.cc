#include <filesystem>

#include "aim/base/parallel.h"
#include "aim/base/path_claim.h"
#include "aim/base/stop_on_error.h"
#include "aim/data/action_images.h"
#include "pipeline/demo_jobs.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// Work and results shared by the worker threads.
class Collection {
 public:
  Collection(const DemoCollectionOptions& options, const EnvFactory& make_env,
             std::vector<DemoJob> jobs, RunContext& run)
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

  DemoReport Report() const { return counts_.Report(); }

 private:
  using Counts = DemoReport::Counts;

  void Do(const DemoJob& job, std::unique_ptr<Env>& env) {
    const fs::path folder = EpisodeFolder(run_.out(), job.task, job.variation, job.index);
    if (fs::exists(folder)) return counts_.Count(job, &Counts::existing);
    const std::optional<PathClaim> claim = PathClaim::Take(folder);
    if (!claim) return counts_.Count(job, &Counts::elsewhere);
    // Another process may have finished it between the look and the claim.
    if (fs::exists(folder)) return counts_.Count(job, &Counts::existing);
    if (env == nullptr) env = MakeDemoEnv(options_, make_env_);
    const std::optional<Episode> episode = MakeDemo(job, *env, stop_, counts_);
    if (!episode) return;
    WriteEpisode(folder, *episode, {.previews = options_.previews});
    counts_.Count(job, &Counts::written);
  }

  const DemoCollectionOptions& options_;
  const EnvFactory& make_env_;
  const std::vector<DemoJob> jobs_;
  RunContext& run_;
  std::atomic<size_t> next_job_{0};
  std::atomic<bool> stop_{false};
  DemoCounts counts_;
};

}  // namespace

DemoReport CollectVideos(const DemoCollectionOptions& options, const EnvFactory& make_env,
                         RunContext& run) {
  std::vector<DemoJob> jobs;
  {
    const std::unique_ptr<Env> env = MakeDemoEnv(options, make_env);
    jobs = BeginCollection(options, *env, run, CollectionSettings(options, *env));
  }
  const int num_workers = NumDemoWorkers(options, jobs.size());
  run.progress().Start("demonstrations", static_cast<int64_t>(jobs.size()));
  Collection collection(options, make_env, std::move(jobs), run);
  ParallelFor(num_workers, num_workers, [&](int64_t) { collection.Work(); });
  run.progress().Finish();
  const DemoReport report = collection.Report();
  if (report.all.written + report.all.existing > 0) WriteVariationDescriptions(run.out());
  return report;
}

}  // namespace aim
