#include "data/set_shape.h"

#include <algorithm>

#include "aim/base/text.h"

namespace aim {
namespace {

bool HaveOneName(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end();
}

}  // namespace

SetShape ShapeOf(OpenEpisode& episode, const EpisodeEdit& edit) {
  if (!edit.views.empty()) episode.KeepViews(edit.views);
  const Clip& clip = episode.facts().clip;
  SetShape shape{.views = {},
                 .width = edit.width > 0 ? edit.width : clip.width,
                 .height = edit.height > 0 ? edit.height : clip.height,
                 .fps = edit.fps > 0 ? edit.fps : clip.fps};
  shape.has_cameras = true;
  shape.has_confidence = !episode.facts().confidence.empty();
  for (const ClipView& view : clip.views) {
    shape.views.push_back(view.camera.name);
    shape.has_cameras = shape.has_cameras && !view.camera.frames.empty();
  }
  return shape;
}

std::string ToWords(const SetShape& shape) {
  const std::string view = shape.has_cameras ? "calibrated view" : "view";
  return CountText(static_cast<int64_t>(shape.views.size()), view) + " (" +
         Join(shape.views, ", ") + ") of " + SizeText(shape.width, shape.height) + " pixels at " +
         RateText(shape.fps) + " frames a second" +
         (shape.has_confidence ? ", with confidence" : "");
}

bool CanShareFiles(const SetShape& a, const SetShape& b) {
  return FitTogether(a, b) && a.views == b.views && a.fps == b.fps &&
         a.has_cameras == b.has_cameras && a.has_confidence == b.has_confidence;
}

bool FitTogether(const SetShape& a, const SetShape& b) {
  return a.width == b.width && a.height == b.height && RateText(a.fps) == RateText(b.fps) &&
         a.views.size() == b.views.size() && (a.views == b.views || !HaveOneName(a.views, b.views));
}

}  // namespace aim
