// A bundle of the released architecture (Wan VAE, UMT5, pooled cameras, velocity): random weights,
// small sizes.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "aim/bundle/make_bundle.h"
#include "support/source_dir.h"

namespace aim::testing {

inline constexpr int kWanFrames = 5;
inline constexpr int kWanSize = 32;

inline void WriteWanBundle(const std::filesystem::path& path, bool link = false) {
  MakeBundleOptions options;
  options.from_diffusers = DiffusersPipeline().string();
  options.image_height = options.image_width = kWanSize;
  options.num_frames = kWanFrames;
  options.num_views = 2;
  options.fps = 8;  // as MakeSyntheticClip
  options.link = link;
  RunContext run({.out = path});
  RunMakeBundle(options, run);
}

}  // namespace aim::testing
