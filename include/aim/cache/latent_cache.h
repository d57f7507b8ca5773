// Encoded clips on disk, so that a training step is the network alone; enough to train from.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "aim/cache/cached_clip.h"

namespace aim {

// Clips of a batch, stacked.
struct EncodedBatch {
  at::Tensor latents;  // [B, V, 2, C, T_l, h, w] float32, or float16 as they are stored
  at::Tensor camera;   // [B, V, T_l, P, K] float32, or undefined
  at::Tensor text;     // [B, L, D] float32
};

struct CacheShard;

// Shards of stacked clips (safetensors, latents in float16, memory-mapped) and cache.json. A cache
// knows the key of what it was made from (data, encoders, options).
class LatentCache {
 public:
  // Opens a finished cache. Throw InputError if it is missing, unfinished or, where a key is given,
  // has another; FormatError for a damaged shard.
  static LatentCache Open(const std::filesystem::path& dir, const std::string& key);
  static LatentCache Open(const std::filesystem::path& dir);
  static bool IsComplete(const std::filesystem::path& dir, const std::string& key);

  const std::string& key() const { return key_; }
  int64_t size() const { return size_; }
  int64_t size_bytes() const { return size_bytes_; }  // of all shards
  int64_t num_shards() const { return static_cast<int64_t>(shards_.size()); }
  EncodedBatch Get(const std::vector<int64_t>& indices) const;
  // As they are stored; `is_pinned`: in memory that a GPU copies from while others work.
  EncodedBatch GetStored(const std::vector<int64_t>& indices, bool is_pinned) const;

  // Which item of the build clip `index` is of; items come in rising order.
  int64_t Item(int64_t index) const;

  // Where clip `index` comes from, and whether it has actions: without, it is a video alone, whose
  // action latents are zeros for modes that do not read them.
  const ClipOrigin& Origin(int64_t index) const;
  std::string EpisodeName(int64_t index) const;  // its number where nobody named it
  bool HasActions(int64_t index) const;

  // All data sets that its clips come from, in rising order.
  std::set<std::string> DataSets() const;

  // Clip `index` as it was before it was encoded: cameras and poses, where it has them, its prompt,
  // and its frames if the cache keeps pictures (else its views have none).
  Clip Truth(int64_t index) const;

  // Hides all but the first clips: what is held out of training.
  void KeepFirst(int64_t num_clips);

  // Hides the clips for which it is false; those that stay are numbered anew.
  void KeepIf(const std::function<bool(int64_t index)>& keep);

 private:
  // Its shard, and its row there.
  std::pair<const CacheShard*, int64_t> Find(int64_t index) const;

  std::string key_;
  std::vector<std::shared_ptr<const CacheShard>> shards_;
  std::vector<int64_t> offsets_;  // index of each shard's first clip
  std::vector<int64_t> kept_;     // what stands at each index, where some are hidden; else empty
  int64_t size_ = 0;
  int64_t size_bytes_ = 0;
};

// Clips of one item; fewer, or none, where it is damaged.
using ClipMaker = std::function<std::vector<CachedClip>(int64_t item)>;

// How a cache comes about.
struct CacheBuild {
  std::string key;
  int64_t num_items = 0;
  int64_t items_per_shard = 64;
  bool keep_pictures = false;
  int num_threads = 1;
  // Called once on each thread that has something to do; what it returns lives and dies there.
  std::function<ClipMaker()> start_worker;
  std::function<void(int64_t num_items)> on_progress = {};
  std::function<bool()> should_stop = {};  // asked before every item
};

// Writes a cache of groups of clips. Shards are atomic; an interrupted build goes on with the first
// missing shard. The order of clips depends on nothing but the items. Several processes may build
// one cache at once: each shard is claimed (base/path_claim.h) by one of them, and whoever has
// nothing left to do waits for the others, taking over what a killed one leaves. False if it was
// stopped: what is finished stays for the next build.
bool BuildLatentCache(const std::filesystem::path& dir, const CacheBuild& build);

}  // namespace aim
