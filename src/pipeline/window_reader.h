// The windows of a long video, read one after another.
#pragma once

#include "aim/codec/clip.h"
#include "aim/data/open_episode.h"

namespace aim {

// Every `stride`-th frame of an episode at a model's size. Only what windows still need is in
// memory, so that it does not grow with the episode.
class WindowReader {
 public:
  // `episode` is borrowed. Throws UnfitError where a view has no calibration.
  WindowReader(OpenEpisode& episode, int stride, int width, int height);

  int num_frames() const;  // every `stride`-th of the episode's

  // Frames [start, start + count) of them, without poses; the last is repeated past the end. Starts
  // may not fall from call to call.
  Clip Read(int start, int count);

 private:
  OpenEpisode& episode_;
  int stride_;
  int width_;
  int height_;
  int begin_ = 0;  // the first frame of what is held
  int end_ = 0;
  Clip held_;
};

}  // namespace aim
