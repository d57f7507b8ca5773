// One file of a cache: the clips of some items, stacked.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/cache/cached_clip.h"

namespace aim {

// safetensors; every tensor but "text" has a row a clip.
//
//   latents            [n, V, 2, C, T_l, h, w]  float16
//   camera             [n, V, T_l, P, K]        float32; absent if the model takes none
//   text               [k, L, D]                float32, one row a prompt
//   text_row           [n]                      int64
//   item               [n]                      int64, in rising order
//   origin_row         [n]                      int64, in "origins"
//   has_actions        [n]                      uint8: 0 for a video alone, whose action latents
//                                               and poses are zeros that nobody reads
//   has_cameras        [n]                      uint8: 0 where they are not known, zeros likewise
//   poses              [n, T, 8]                float64, as kPoseNumberNames
//   intrinsics         [n, V, F, 4]             float64 fx fy cx cy; F = 1: fixed cameras
//   world_from_camera  [n, V, F, 7]             float64 x y z qx qy qz qw
//   rgb                [n, V, T, H, W, 3]       uint8, if pictures are kept
//
// and as metadata "format", "key", "prompts" (JSON list of k), "origins" (JSON list of [data set,
// episode]) and "picture" (JSON: height, width, fps). T is 0 where no clip has actions. A shard of
// nothing holds metadata alone.
struct CacheShard {
  std::string key;
  int64_t num_clips = 0;
  at::Tensor latents, camera, text, text_row, item, poses, intrinsics, world_from_camera, rgb;
  at::Tensor origin_row, has_actions, has_cameras;
  std::vector<std::string> prompts;
  std::vector<ClipOrigin> origins;
  int height = 0;
  int width = 0;
  double fps = 0;

  // A clip's cameras and poses, where it has them, its prompt, and its frames if they are kept.
  Clip Truth(int64_t row) const;
  const ClipOrigin& Origin(int64_t row) const;
};

// Atomic. All clips have the same numbers of frames and views, and one size.
void WriteCacheShard(const std::filesystem::path& path, const std::string& key,
                     const std::vector<CachedClip>& clips, bool keep_pictures);

// Maps the file; nothing is read before it is used. Throws FormatError naming file and tensor.
CacheShard OpenCacheShard(const std::filesystem::path& path);

// Is there a shard of this key?
bool IsShardOf(const std::filesystem::path& path, const std::string& key);

}  // namespace aim
