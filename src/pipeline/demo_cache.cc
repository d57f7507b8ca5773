#include <cmath>
#include <memory>

#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/bundle/encoding.h"
#include "aim/cache/latent_cache.h"
#include "aim/data/cut_clip.h"
#include "aim/tensor/device.h"
#include "pipeline/demo_jobs.h"

namespace aim {
namespace {

// 64 clips or so: also a small collection keeps many processes busy, and little is lost by a kill.
constexpr int64_t kEpisodesPerShard = 16;

// A model's clips have one size and one rate.
void CheckFits(const DemoCollectionOptions& options, const BundleConfig& config) {
  if (config.image_width != options.image_size || config.image_height != options.image_size) {
    throw ConfigError({.where = "image_size",
                       .got = std::to_string(options.image_size),
                       .expected = SizeText(config.image_width, config.image_height) +
                                   ", that of " + options.model,
                       .fix = "set --image-size, or choose another model"});
  }
  if (std::abs(options.frame_period_s * config.fps - 1) > 1e-3) {
    throw ConfigError({.where = "frame_period_s",
                       .got = ToText(options.frame_period_s),
                       .expected = ToText(1 / config.fps) + ", that of " + options.model,
                       .fix = "set --frame-period-s, or choose another model"});
  }
}

// Demonstrations of jobs, encoded.
class DemoEncoder {
 public:
  DemoEncoder(const DemoCollectionOptions& options, const EnvFactory& make_env,
              std::vector<DemoJob> jobs, const BundleConfig& config, const RunContext& run)
      : options_(options),
        make_env_(make_env),
        jobs_(std::move(jobs)),
        made_(jobs_.size()),
        config_(config) {
    LoadOptions load;
    load.device = ParseDevice(run.device());
    autoencoder_ = LoadAutoencoder(options.model, config, load);
    text_ = LoadTextEncoder(options.model, config, load);
  }

  int64_t num_jobs() const { return static_cast<int64_t>(jobs_.size()); }

  // For one thread, with a simulator of its own.
  ClipMaker StartWorker() {
    std::shared_ptr<Env> env = MakeDemoEnv(options_, make_env_);
    return [this, env](int64_t item) { return Make(item, *env); };
  }

  // Of the finished cache, whoever made its parts.
  DemoReport Report(const LatentCache& cache) {
    std::vector<char> has_clips(jobs_.size());
    for (int64_t i = 0; i < cache.size(); ++i) has_clips[static_cast<size_t>(cache.Item(i))] = 1;
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (made_[i]) continue;  // counted
      if (has_clips[i]) {
        counts_.Count(jobs_[i], &DemoReport::Counts::existing);
      } else {
        counts_.Fail(jobs_[i]);
      }
    }
    DemoReport report = counts_.Report();
    report.cache = {cache.size(), cache.num_shards(), cache.size_bytes()};
    return report;
  }

 private:
  std::vector<CachedClip> Make(int64_t item, Env& env) {
    const DemoJob& job = jobs_[static_cast<size_t>(item)];
    made_[static_cast<size_t>(item)] = 1;
    const std::atomic<bool> never{false};
    const std::optional<Episode> episode = MakeDemo(job, env, never, counts_);
    std::vector<CachedClip> clips;
    if (!episode) return clips;
    const ClipEncoder encoder{autoencoder_.get(), text_.get(), config_.dit, config_.action_image,
                              config_.num_frames};
    for (Clip& clip : CutClips(episode->clip, options_.per_episode, config_.num_frames)) {
      EncodedClip encoded = encoder.Encode(clip);
      clips.push_back({.encoded = std::move(encoded),
                       .truth = std::move(clip),
                       .origin = {.episode = job.Name()}});
    }
    counts_.Count(job, &DemoReport::Counts::written);
    return clips;
  }

  const DemoCollectionOptions& options_;
  const EnvFactory& make_env_;
  const std::vector<DemoJob> jobs_;
  std::vector<char> made_;  // here, not by another process or an earlier start; one thread an item
  const BundleConfig& config_;
  std::unique_ptr<Autoencoder> autoencoder_;
  std::unique_ptr<TextEncoder> text_;
  DemoCounts counts_;
};

// What must not change between the processes and starts that fill one cache.
nlohmann::json CacheSettings(const DemoCollectionOptions& options, const Env& env,
                             const nlohmann::json& encoding) {
  nlohmann::json settings = CollectionSettings(options, env);
  settings.update({{"format", "aim-demo-cache-1"},
                   {"task", SplitNames(options.task)},
                   {"episodes", options.episodes},
                   {"per_episode", options.per_episode},
                   {"pixels", options.pixels},
                   {"encoding", encoding}});
  return settings;
}

}  // namespace

DemoReport CollectIntoCache(const DemoCollectionOptions& options, const EnvFactory& make_env,
                            RunContext& run) {
  if (options.model.empty()) {
    throw ConfigError({.where = "--model",
                       .got = "not given",
                       .expected = "the bundle that encodes the cache",
                       .fix = "give --model BUNDLE, e.g. assets/tiny"});
  }
  const BundleConfig config = LoadBundleConfig(options.model);
  CheckFits(options, config);
  const nlohmann::json encoding = EncodingOf(options.model, config);
  std::unique_ptr<Env> env = MakeDemoEnv(options, make_env);
  const nlohmann::json settings = CacheSettings(options, *env, encoding);
  std::vector<DemoJob> jobs = BeginCollection(options, *env, run, settings);
  env.reset();  // the workers have their own
  KeepEncoders(run.out() / "model", encoding, [&](const std::filesystem::path& path) {
    WriteEncoders(path, config, options.model);
  });
  const int num_workers = NumDemoWorkers(options, jobs.size());
  DemoEncoder encoder(options, make_env, std::move(jobs), config, run);
  run.progress().Start("demonstrations", encoder.num_jobs());
  const std::string key = std::to_string(StableHash(DumpJson(settings)));
  BuildLatentCache(run.out(),
                   {.key = key,
                    .num_items = encoder.num_jobs(),
                    .items_per_shard = kEpisodesPerShard,
                    .keep_pictures = options.pixels,
                    .num_threads = num_workers,
                    .start_worker = [&] { return encoder.StartWorker(); },
                    .on_progress = [&](int64_t count) { run.progress().Advance(count); }});
  run.progress().Finish();
  return encoder.Report(LatentCache::Open(run.out(), key));
}

}  // namespace aim
