// Names of a cache's files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>

namespace aim {

inline constexpr char kCacheFormat[] = "aim-latents-3";  // of cache.json and of every shard

// Written when all shards are there.
inline std::filesystem::path ManifestPath(const std::filesystem::path& dir) {
  return dir / "cache.json";
}

inline std::filesystem::path ShardPath(const std::filesystem::path& dir, int64_t shard) {
  const std::string number = std::to_string(shard);
  return dir / ("shard_" + std::string(6 - std::min<size_t>(6, number.size()), '0') + number +
                ".safetensors");
}

}  // namespace aim
