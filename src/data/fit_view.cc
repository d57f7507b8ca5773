#include "aim/data/fit_view.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/media/resize.h"

namespace aim {

ClipView FitView(const ClipView& view, int width, int height, int new_width, int new_height) {
  if (width == new_width && height == new_height) return view;
  AIM_CHECK(view.num_frames > 0);
  ClipView fitted;
  fitted.camera.name = view.camera.name;
  fitted.num_frames = view.num_frames;
  const auto num_frames = static_cast<size_t>(view.num_frames);
  const size_t num_cameras = view.camera.frames.size();
  Image image(width, height);
  const auto frame_bytes = static_cast<std::ptrdiff_t>(image.rgb.size());
  for (size_t frame = 0; frame < std::max(num_frames, num_cameras); ++frame) {
    const auto source = static_cast<std::ptrdiff_t>(std::min(frame, num_frames - 1));
    std::copy_n(view.rgb.begin() + source * frame_bytes, frame_bytes, image.rgb.begin());
    const CameraImage result =
        CropAndResizeImage(image, view.camera.at(frame), new_width, new_height);
    if (frame < num_frames) {
      fitted.rgb.insert(fitted.rgb.end(), result.image.rgb.begin(), result.image.rgb.end());
    }
    if (frame < num_cameras) fitted.camera.frames.push_back(result.camera);
  }
  return fitted;
}

Clip FitClip(const Clip& clip, int new_width, int new_height) {
  Clip fitted = clip;
  fitted.width = new_width;
  fitted.height = new_height;
  for (ClipView& view : fitted.views) {
    view = FitView(view, clip.width, clip.height, new_width, new_height);
  }
  return fitted;
}

}  // namespace aim
