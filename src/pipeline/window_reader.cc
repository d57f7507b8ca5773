#include "pipeline/window_reader.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/data/cut_clip.h"

namespace aim {

WindowReader::WindowReader(OpenEpisode& episode, int stride, int width, int height)
    : episode_(episode), stride_(stride), width_(width), height_(height) {
  RequireCameras(episode.facts().clip, episode.where());
}

int WindowReader::num_frames() const { return (episode_.num_frames() - 1) / stride_ + 1; }

Clip WindowReader::Read(int start, int count) {
  AIM_CHECK(start >= begin_ && start < num_frames() && count > 0);
  const int end = std::min(start + count, num_frames());
  if (start >= end_) {
    held_ = {};
    end_ = start;
  } else if (start > begin_) {
    held_ = CutClip(held_, start - begin_, end_ - start);
  }
  begin_ = start;
  if (end > end_) {
    AppendFrames(
        episode_.ReadFitted({end_ * stride_, (end - 1) * stride_ + 1}, stride_, width_, height_),
        episode_.facts().clip, held_);
    end_ = end;
  }
  return CutClip(held_, 0, count);
}

}  // namespace aim
