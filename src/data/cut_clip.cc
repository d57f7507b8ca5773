#include "aim/data/cut_clip.h"

#include <algorithm>
#include <utility>

namespace aim {
namespace {

size_t ClampFrame(int frame, size_t count) {
  return std::min(static_cast<size_t>(frame), count - 1);
}

}  // namespace

Clip CutClip(const Clip& clip, int start, int num_frames) {
  Clip cut;
  cut.height = clip.height;
  cut.width = clip.width;
  cut.fps = clip.fps;
  cut.prompt = clip.prompt;
  const size_t frame_bytes = static_cast<size_t>(clip.height) * static_cast<size_t>(clip.width) * 3;
  for (const ClipView& view : clip.views) {
    ClipView part;
    part.camera.name = view.camera.name;
    part.num_frames = num_frames;
    for (int frame = start; frame < start + num_frames; ++frame) {
      const size_t source = ClampFrame(frame, static_cast<size_t>(view.num_frames));
      const auto begin = view.rgb.begin() + static_cast<std::ptrdiff_t>(source * frame_bytes);
      part.rgb.insert(part.rgb.end(), begin, begin + static_cast<std::ptrdiff_t>(frame_bytes));
      if (view.camera.frames.size() > 1) part.camera.frames.push_back(view.camera.at(source));
    }
    if (view.camera.frames.size() == 1) part.camera.frames = view.camera.frames;
    cut.views.push_back(std::move(part));
  }
  if (clip.poses.empty()) return cut;
  for (int frame = start; frame < start + num_frames; ++frame) {
    cut.poses.push_back(clip.poses[ClampFrame(frame, clip.poses.size())]);
  }
  return cut;
}

void AppendFrames(Clip more, const Clip& whole, Clip& clip) {
  if (clip.views.empty()) {
    clip = std::move(more);
    return;
  }
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const ClipView& from = more.views[v];
    ClipView& to = clip.views[v];
    to.rgb.insert(to.rgb.end(), from.rgb.begin(), from.rgb.end());
    to.num_frames += from.num_frames;
    if (whole.views[v].camera.frames.size() == 1) continue;
    to.camera.frames.insert(to.camera.frames.end(), from.camera.frames.begin(),
                            from.camera.frames.end());
  }
}

std::vector<Clip> CutClips(const Clip& clip, int count, int num_frames) {
  std::vector<Clip> clips;
  clips.reserve(static_cast<size_t>(count));
  const int has_frames = clip.views.at(0).num_frames;
  for (int i = 0; i < count; ++i)
    clips.push_back(CutClip(clip, i * std::max(1, has_frames - 2) / count, num_frames));
  return clips;
}

}  // namespace aim
