#include "aim/cache/latent_cache.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parallel.h"
#include "aim/tensor/safetensors.h"

namespace aim {
namespace {

constexpr int64_t kItemsPerShard = 64;

std::filesystem::path ShardPath(const std::filesystem::path& dir, int64_t shard) {
  std::string number = std::to_string(shard);
  return dir / ("shard_" + std::string(6 - std::min<size_t>(6, number.size()), '0') + number +
                ".safetensors");
}

at::Tensor StackOrEmpty(const std::vector<at::Tensor>& tensors) {
  return tensors.empty() ? at::empty({0}) : at::stack(tensors);
}

void WriteShard(const std::filesystem::path& path, const std::string& key,
                const std::vector<EncodedClip>& clips) {
  std::vector<at::Tensor> latents, cameras, texts;
  for (const EncodedClip& clip : clips) {
    latents.push_back(clip.latents.to(at::kHalf));
    if (clip.camera.defined()) cameras.push_back(clip.camera);
    texts.push_back(clip.text);
  }
  WriteSafetensors(path,
                   {{"latents", StackOrEmpty(latents)},
                    {"camera", StackOrEmpty(cameras)},
                    {"text", StackOrEmpty(texts)}},
                   {{"key", key}});
}

bool IsShardOf(const std::filesystem::path& path, const std::string& key) {
  if (!std::filesystem::exists(path)) return false;
  const Metadata metadata = OpenSafetensors(path).metadata;
  const auto found = metadata.find("key");
  return found != metadata.end() && found->second == key;
}

}  // namespace

bool BuildLatentCache(const std::filesystem::path& dir, const CacheBuild& build) {
  const int64_t num_shards = (build.num_items + kItemsPerShard - 1) / kItemsPerShard;
  std::atomic<bool> stopped{false};
  const auto should_stop = [&] {
    if (build.should_stop && build.should_stop()) stopped = true;
    return stopped.load();
  };
  const auto progress = [&](int64_t count) {
    if (build.on_progress) build.on_progress(count);
  };
  ParallelFor(num_shards, build.num_threads, [&](int64_t shard) {
    at::set_num_threads(1);
    const int64_t begin = shard * kItemsPerShard;
    const int64_t end = std::min(build.num_items, begin + kItemsPerShard);
    if (IsShardOf(ShardPath(dir, shard), build.key)) return progress(end - begin);
    std::vector<EncodedClip> clips;
    for (int64_t item = begin; item < end; ++item, progress(1)) {
      if (should_stop()) return;
      for (EncodedClip& clip : build.make(item)) clips.push_back(std::move(clip));
    }
    WriteShard(ShardPath(dir, shard), build.key, clips);
  });
  if (stopped) return false;
  const nlohmann::json manifest = {
      {"format", "aim-latents-1"}, {"key", build.key}, {"shards", num_shards}};
  WriteFileAtomic(dir / "cache.json", manifest.dump(2) + "\n");
  return true;
}

bool LatentCache::IsComplete(const std::filesystem::path& dir, const std::string& key) {
  if (!std::filesystem::exists(dir / "cache.json")) return false;
  const nlohmann::json manifest =
      nlohmann::json::parse(ReadFile(dir / "cache.json"), nullptr, false);
  return manifest.is_object() && manifest.contains("key") && manifest["key"] == key;
}

LatentCache LatentCache::Open(const std::filesystem::path& dir, const std::string& key) {
  if (!IsComplete(dir, key)) {
    throw InputError({dir.string(), "not a finished latent cache of this data and autoencoder",
                      "cache.json with key " + key, "remove the folder; it is built anew"});
  }
  const nlohmann::json manifest = nlohmann::json::parse(ReadFile(dir / "cache.json"));
  LatentCache cache;
  for (int64_t shard = 0; shard < manifest.at("shards").get<int64_t>(); ++shard) {
    const WeightMap tensors = ReadSafetensors(ShardPath(dir, shard));
    Shard entry{tensors.at("latents"), tensors.at("camera"), tensors.at("text")};
    cache.offsets_.push_back(cache.size_);
    cache.size_ += entry.latents.dim() > 1 ? entry.latents.size(0) : 0;
    cache.shards_.push_back(std::move(entry));
  }
  return cache;
}

EncodedBatch LatentCache::Get(const std::vector<int64_t>& indices) const {
  std::vector<at::Tensor> latents, cameras, texts;
  for (const int64_t index : indices) {
    AIM_CHECK(index >= 0 && index < size_);
    const auto above = std::upper_bound(offsets_.begin(), offsets_.end(), index);
    const size_t shard = static_cast<size_t>(above - offsets_.begin() - 1);
    const int64_t row = index - offsets_[shard];
    latents.push_back(shards_[shard].latents[row].to(at::kFloat));
    if (shards_[shard].camera.dim() > 1) cameras.push_back(shards_[shard].camera[row]);
    texts.push_back(shards_[shard].text[row]);
  }
  return {at::stack(latents), cameras.empty() ? at::Tensor() : at::stack(cameras),
          at::stack(texts)};
}

}  // namespace aim
