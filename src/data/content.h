// Whether two episodes are one, wherever and under whatever names they lie.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "aim/data/open_episode.h"

namespace aim {

// Stands for the pictures of all views. Views may be added to in any order, the frames of one in
// theirs.
class PictureHash {
 public:
  explicit PictureHash(size_t num_views) : views_(num_views, 0) {}
  void Add(size_t view, std::span<const uint8_t> rgb);
  std::string Text() const;  // sixteen digits

 private:
  std::vector<uint64_t> views_;
};

// Of pictures in memory.
std::string HashPictures(const Clip& clip);

// Of the first, the middle and the last frame alone, and the number of frames: cheap, and the same
// for copies.
std::string HashSomePictures(OpenEpisode& episode);

// Whether episodes of the same pictures say the same of them: prompt, poses as far as float32 tells
// them apart, and which views are calibrated.
bool SayTheSame(const Clip& a, const Clip& b);

}  // namespace aim
