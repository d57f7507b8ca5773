#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "aim/base/atomic_file.h"
#include "aim/base/parallel.h"
#include "aim/base/path_claim.h"
#include "aim/cache/latent_cache.h"
#include "cache/cache_files.h"
#include "cache/cache_shard.h"

namespace aim {
namespace {

// They are most of a clip's memory.
void DropPictures(Clip& clip) {
  for (ClipView& view : clip.views) {
    view.rgb = {};
    view.num_frames = 0;
  }
}

// One process's part in a build.
class Builder {
 public:
  Builder(const std::filesystem::path& dir, const CacheBuild& build)
      : dir_(dir), build_(build), missing_(static_cast<size_t>(NumShards())) {
    for (size_t i = 0; i < missing_.size(); ++i) missing_[i] = static_cast<int64_t>(i);
  }

  // False if it was stopped.
  bool Run() {
    for (;;) {
      TakeTurn();
      if (stopped_) return false;
      if (missing_.empty()) return true;
      // Others are at work on these.
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (ShouldStop()) return false;
    }
  }

  int64_t NumShards() const {
    return (build_.num_items + build_.items_per_shard - 1) / build_.items_per_shard;
  }

 private:
  // Looks at every missing shard once and makes those that nobody else is making.
  void TakeTurn() {
    std::vector<char> is_there(missing_.size());
    std::atomic<size_t> next{0};
    const int num_threads = at::get_num_threads();  // of the caller, who is one of the workers
    ParallelFor(build_.num_threads, build_.num_threads, [&](int64_t) {
      at::set_num_threads(1);
      ClipMaker make;
      for (size_t i = next++; i < missing_.size() && !stopped_; i = next++)
        is_there[i] = Provide(missing_[i], make);
    });
    at::set_num_threads(num_threads);
    std::vector<int64_t> still_missing;
    for (size_t i = 0; i < missing_.size(); ++i) {
      if (!is_there[i]) still_missing.push_back(missing_[i]);
    }
    missing_ = std::move(still_missing);
  }

  // Is the shard there now? If not, another process is making it, or the build was stopped.
  bool Provide(int64_t shard, ClipMaker& make) {
    const std::filesystem::path path = ShardPath(dir_, shard);
    if (IsShardOf(path, build_.key)) return Found(shard);
    const std::optional<PathClaim> claim = PathClaim::Take(path);
    if (!claim) return false;
    // Another process may have finished it between the look and the claim.
    if (IsShardOf(path, build_.key)) return Found(shard);
    if (!make) make = build_.start_worker();
    std::vector<CachedClip> clips;
    for (int64_t item = Begin(shard); item < End(shard); ++item) {
      if (ShouldStop()) return false;
      for (CachedClip& clip : make(item)) {
        clip.item = item;
        if (!build_.keep_pictures) DropPictures(clip.truth);
        clips.push_back(std::move(clip));
      }
      Advance(1);
    }
    WriteCacheShard(path, build_.key, clips, build_.keep_pictures);
    return true;
  }

  bool Found(int64_t shard) {
    Advance(End(shard) - Begin(shard));
    return true;
  }

  int64_t Begin(int64_t shard) const { return shard * build_.items_per_shard; }
  int64_t End(int64_t shard) const {
    return std::min(build_.num_items, Begin(shard) + build_.items_per_shard);
  }

  void Advance(int64_t count) {
    if (build_.on_progress) build_.on_progress(count);
  }

  bool ShouldStop() {
    if (build_.should_stop && build_.should_stop()) stopped_ = true;
    return stopped_;
  }

  const std::filesystem::path& dir_;
  const CacheBuild& build_;
  std::vector<int64_t> missing_;  // shards, in rising order
  std::atomic<bool> stopped_{false};
};

}  // namespace

bool BuildLatentCache(const std::filesystem::path& dir, const CacheBuild& build) {
  Builder builder(dir, build);
  if (!builder.Run()) return false;
  const nlohmann::json manifest = {{"format", kCacheFormat},
                                   {"key", build.key},
                                   {"shards", builder.NumShards()},
                                   {"items", build.num_items}};
  WriteFileAtomic(ManifestPath(dir), manifest.dump(2) + "\n");
  return true;
}

}  // namespace aim
