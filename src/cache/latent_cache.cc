#include "aim/cache/latent_cache.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "cache/cache_files.h"
#include "cache/cache_shard.h"

namespace aim {
namespace {

nlohmann::json ReadManifest(const std::filesystem::path& dir) {
  if (!std::filesystem::exists(ManifestPath(dir))) return {};
  nlohmann::json manifest = ParseJson(ReadFile(ManifestPath(dir)));
  const bool is_one = manifest.is_object() &&
                      manifest.value("format", nlohmann::json()) == kCacheFormat &&
                      manifest.contains("key") && manifest["key"].is_string() &&
                      manifest.contains("shards") && manifest["shards"].is_number_unsigned();
  return is_one ? manifest : nlohmann::json();
}

// Of whichever version wrote the folder; empty if it has none.
std::string FormatOf(const std::filesystem::path& dir) {
  if (!std::filesystem::exists(ManifestPath(dir))) return "";
  const nlohmann::json manifest = ParseJson(ReadFile(ManifestPath(dir)));
  const bool has_one = manifest.is_object() && manifest.contains("format");
  return has_one && manifest["format"].is_string() ? manifest["format"].get<std::string>() : "";
}

[[noreturn]] void ThrowNoCache(const std::filesystem::path& dir) {
  const std::string format = FormatOf(dir);
  const bool is_other = format.starts_with("aim-latents-") && format != kCacheFormat;
  if (is_other) {
    throw InputError({dir.string(), "a latent cache of another version of aim (" + format + ")",
                      kCacheFormat, "make it again in an empty folder, from what it was made of"});
  }
  throw InputError({dir.string(), "not a finished latent cache",
                    "a folder with cache.json and its shards",
                    "make one with aim-data demos --cache, or let the command that was making it "
                    "go on with --resume"});
}

}  // namespace

bool LatentCache::IsComplete(const std::filesystem::path& dir, const std::string& key) {
  const nlohmann::json manifest = ReadManifest(dir);
  return !manifest.is_null() && manifest["key"] == key;
}

LatentCache LatentCache::Open(const std::filesystem::path& dir, const std::string& key) {
  if (!IsComplete(dir, key)) {
    throw InputError({dir.string(), "not a finished latent cache of this data and autoencoder",
                      "cache.json with key " + key, "remove the folder; it is built anew"});
  }
  return Open(dir);
}

LatentCache LatentCache::Open(const std::filesystem::path& dir) {
  const nlohmann::json manifest = ReadManifest(dir);
  if (manifest.is_null()) ThrowNoCache(dir);
  LatentCache cache;
  cache.key_ = manifest["key"];
  for (int64_t number = 0; number < manifest["shards"].get<int64_t>(); ++number) {
    const std::filesystem::path path = ShardPath(dir, number);
    auto shard = std::make_shared<const CacheShard>(OpenCacheShard(path));
    if (shard->key != manifest["key"]) {
      throw InputError({path.string(), "of another cache", "the key that cache.json has",
                        "make the cache again in an empty folder"});
    }
    cache.offsets_.push_back(cache.size_);
    cache.size_ += shard->num_clips;
    cache.size_bytes_ += static_cast<int64_t>(std::filesystem::file_size(path));
    cache.shards_.push_back(std::move(shard));
  }
  return cache;
}

std::pair<const CacheShard*, int64_t> LatentCache::Find(int64_t index) const {
  AIM_CHECK(index >= 0 && index < size_);
  if (!kept_.empty()) index = kept_[static_cast<size_t>(index)];
  const auto above = std::upper_bound(offsets_.begin(), offsets_.end(), index);
  const auto shard = static_cast<size_t>(above - offsets_.begin() - 1);
  return {shards_[shard].get(), index - offsets_[shard]};
}

EncodedBatch LatentCache::Get(const std::vector<int64_t>& indices) const {
  EncodedBatch batch = GetStored(indices, false);
  batch.latents = batch.latents.to(at::kFloat);
  return batch;
}

EncodedBatch LatentCache::GetStored(const std::vector<int64_t>& indices, bool is_pinned) const {
  std::vector<at::Tensor> latents, cameras, texts;
  for (const int64_t index : indices) {
    const auto [shard, row] = Find(index);
    latents.push_back(shard->latents[row]);
    if (shard->camera.defined()) cameras.push_back(shard->camera[row]);
    texts.push_back(shard->text[shard->text_row[row].item<int64_t>()]);
  }
  const auto stack = [&](const std::vector<at::Tensor>& rows) {
    if (rows.empty()) return at::Tensor();
    std::vector<int64_t> shape = rows[0].sizes().vec();
    shape.insert(shape.begin(), std::ssize(rows));
    at::Tensor all = at::empty(shape, rows[0].options().pinned_memory(is_pinned));
    return at::stack_out(all, rows);
  };
  return {stack(latents), stack(cameras), stack(texts)};
}

int64_t LatentCache::Item(int64_t index) const {
  const auto [shard, row] = Find(index);
  return shard->item[row].item<int64_t>();
}

const ClipOrigin& LatentCache::Origin(int64_t index) const {
  const auto [shard, row] = Find(index);
  return shard->Origin(row);
}

std::string LatentCache::EpisodeName(int64_t index) const {
  const std::string& name = Origin(index).episode;
  return name.empty() ? "episode " + std::to_string(Item(index)) + " of the cache" : name;
}

bool LatentCache::HasActions(int64_t index) const {
  const auto [shard, row] = Find(index);
  return shard->has_actions[row].item<bool>();
}

std::set<std::string> LatentCache::DataSets() const {
  std::set<std::string> names;
  for (const auto& shard : shards_) {
    for (const ClipOrigin& origin : shard->origins) names.insert(origin.data_set);
  }
  return names;
}

Clip LatentCache::Truth(int64_t index) const {
  const auto [shard, row] = Find(index);
  return shard->Truth(row);
}

void LatentCache::KeepIf(const std::function<bool(int64_t)>& keep) {
  std::vector<int64_t> kept;
  for (int64_t index = 0; index < size_; ++index) {
    if (keep(index)) kept.push_back(kept_.empty() ? index : kept_[static_cast<size_t>(index)]);
  }
  const auto num_kept = static_cast<int64_t>(kept.size());
  if (num_kept < size_) kept_ = std::move(kept);
  size_ = num_kept;
}

void LatentCache::KeepFirst(int64_t num_clips) {
  AIM_CHECK(num_clips >= 0 && num_clips <= size_);
  size_ = num_clips;
}

}  // namespace aim
