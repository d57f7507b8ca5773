// A clip as a cache keeps it.
#pragma once

#include <cstdint>

#include "aim/diffusion/clip_encoding.h"

namespace aim {

struct CachedClip {
  EncodedClip encoded;
  Clip truth;  // what was encoded: cameras, poses and prompt, to measure a model by; with pictures
  int64_t item = 0;  // of the build that it came from
};

}  // namespace aim
