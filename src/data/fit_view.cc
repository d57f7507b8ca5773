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
  Image image(width, height);
  for (const Camera& camera : view.camera.frames) {
    RequirePictureSize(camera, image);
    fitted.camera.frames.push_back(FitCamera(camera, new_width, new_height));
  }
  const auto frame_bytes = static_cast<std::ptrdiff_t>(image.rgb.size());
  for (int frame = 0; frame < view.num_frames; ++frame) {
    std::copy_n(view.rgb.begin() + frame * frame_bytes, frame_bytes, image.rgb.begin());
    const Image result = CropAndResizeImage(image, new_width, new_height);
    fitted.rgb.insert(fitted.rgb.end(), result.rgb.begin(), result.rgb.end());
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
