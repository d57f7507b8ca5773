// Encoded clips on disk, so that a training step is the network alone.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "aim/diffusion/clip_encoding.h"

namespace aim {

// Clips of a batch, stacked.
struct EncodedBatch {
  at::Tensor latents;  // [B, V, 2, C, T_l, h, w] float32
  at::Tensor camera;   // [B, V, T_l, P, K] float32, or undefined
  at::Tensor text;     // [B, L, D] float32
};

// Shards of stacked clips (safetensors: latents f16, camera and text f32), memory-mapped. A cache
// knows the key of what it was made from (data, autoencoder, options) and refuses another.
class LatentCache {
 public:
  // Opens a finished cache. Throws InputError if it is missing, unfinished or has another key.
  static LatentCache Open(const std::filesystem::path& dir, const std::string& key);
  static bool IsComplete(const std::filesystem::path& dir, const std::string& key);

  int64_t size() const { return size_; }
  EncodedBatch Get(const std::vector<int64_t>& indices) const;

 private:
  struct Shard {
    at::Tensor latents, camera, text;
  };
  std::vector<Shard> shards_;
  std::vector<int64_t> offsets_;  // index of each shard's first clip
  int64_t size_ = 0;
};

// How a cache comes about.
struct CacheBuild {
  std::string key;
  int64_t num_items = 0;
  int num_threads = 1;
  // Clips of one item; fewer, or none, where it is damaged. Called on any of the threads.
  std::function<std::vector<EncodedClip>(int64_t item)> make;
  std::function<void(int64_t num_items)> on_progress = {};
  std::function<bool()> should_stop = {};  // asked before every item
};

// Writes a cache of groups of clips. Shards are atomic; an interrupted build goes on with the first
// missing shard. The order of clips depends on nothing but the items. False if it was stopped: what
// is finished stays for the next build.
bool BuildLatentCache(const std::filesystem::path& dir, const CacheBuild& build);

}  // namespace aim
