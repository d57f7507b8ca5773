#include "aim/pipeline/demo_collection.h"

#include "aim/base/error.h"
#include "pipeline/demo_jobs.h"

namespace aim {
namespace {

nlohmann::json CountsJson(const DemoReport::Counts& counts) {
  return {{"episodes", counts.written + counts.existing},
          {"written", counts.written},
          {"existing", counts.existing},
          {"in_progress_elsewhere", counts.elsewhere},
          {"retried", counts.retried}};
}

}  // namespace

void DemoCollectionOptions::Validate() const {
  CheckRanges(*this);
  CheckVariationNumbers(variations);
}

nlohmann::json ToJson(const DemoReport& report) {
  nlohmann::json object = CountsJson(report.all);
  object["failed"] = nlohmann::json::array();
  for (const DemoReport::Failed& failed : report.failed)
    object["failed"].push_back({{"episode", failed.episode}, {"attempts", failed.attempts}});
  object["tasks"] = nlohmann::json::object();
  for (const auto& [task, counts] : report.tasks) object["tasks"][task] = CountsJson(counts);
  if (report.cache) {
    object["cache"] = {{"clips", report.cache->num_clips},
                       {"shards", report.cache->num_shards},
                       {"size_bytes", report.cache->size_bytes}};
  }
  return object;
}

DemoReport RunDemoCollection(const DemoCollectionOptions& options, const EnvFactory& make_env,
                             RunContext& run) {
  options.Validate();
  if (run.out().empty()) {
    throw ConfigError({.where = "--out", .got = "missing", .expected = "a folder", .fix = ""});
  }
  const DemoReport report = options.cache ? CollectIntoCache(options, make_env, run)
                                          : CollectVideos(options, make_env, run);
  run.CommitOut();
  run.Note("demos", ToJson(report));
  return report;
}

}  // namespace aim
