// A clip as a cache keeps it.
#pragma once

#include <cstdint>
#include <string>

#include "aim/diffusion/clip_encoding.h"

namespace aim {

// Where a clip comes from, as a run calls it; empty where nobody said.
struct ClipOrigin {
  std::string data_set = {};
  std::string episode = {};  // its name there

  bool operator==(const ClipOrigin&) const = default;
};

struct CachedClip {
  EncodedClip encoded;
  Clip truth;  // what was encoded: cameras, poses and prompt, to measure a model by; with pictures
  int64_t item = 0;  // of the build that it came from
  ClipOrigin origin = {};
};

}  // namespace aim
