#include "pipeline/window_reader.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/data/cut_clip.h"

namespace aim {
namespace {

// A camera that moves has one entry a frame.
void Append(const Clip& more, const Clip& whole, Clip& clip) {
  for (size_t v = 0; v < more.views.size(); ++v) {
    const ClipView& from = more.views[v];
    ClipView& to = clip.views[v];
    to.rgb.insert(to.rgb.end(), from.rgb.begin(), from.rgb.end());
    to.num_frames += from.num_frames;
    if (whole.views[v].camera.frames.size() == 1) continue;
    to.camera.frames.insert(to.camera.frames.end(), from.camera.frames.begin(),
                            from.camera.frames.end());
  }
}

}  // namespace

WindowReader::WindowReader(OpenEpisode& episode, int stride, int width, int height)
    : episode_(episode), stride_(stride), width_(width), height_(height) {}

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
    const Clip more =
        episode_.ReadFitted({end_ * stride_, (end - 1) * stride_ + 1}, stride_, width_, height_);
    if (held_.views.empty()) {
      held_ = more;
    } else {
      Append(more, episode_.facts().clip, held_);
    }
    end_ = end;
  }
  return CutClip(held_, 0, count);
}

}  // namespace aim
