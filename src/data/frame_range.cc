#include "data/frame_range.h"

#include <algorithm>

#include "aim/base/error.h"

namespace aim {
namespace {

// What belongs to single frames; fewer than `range.end` where only the first is known.
template <class T>
void Cut(const FrameRange& range, std::vector<T>& values) {
  const auto begin = std::min(values.size(), static_cast<size_t>(range.begin));
  const auto end = std::min(values.size(), static_cast<size_t>(range.end));
  values.erase(values.begin() + static_cast<std::ptrdiff_t>(end), values.end());
  values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(begin));
}

}  // namespace

FrameRange WithinEpisode(const FrameRange& range, int num_frames, const std::string& where) {
  const int end = range.end < 0 ? num_frames : std::min(range.end, num_frames);
  if (range.begin >= 0 && range.begin < end) return {range.begin, end};
  throw InputError({.where = where,
                    .got = "an episode of " + std::to_string(num_frames) + " frames",
                    .expected = "more than " + std::to_string(range.begin),
                    .fix = "ask for frames that it has"});
}

void CutToRange(const FrameRange& range, Episode& episode) {
  for (ClipView& view : episode.clip.views) {
    if (view.camera.frames.size() > 1) Cut(range, view.camera.frames);
  }
  Cut(range, episode.times_s);
  Cut(range, episode.clip.poses);
  Cut(range, episode.measured);
  Cut(range, episode.confidence);
}

}  // namespace aim
