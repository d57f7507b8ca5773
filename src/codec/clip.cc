#include "aim/codec/clip.h"

namespace aim {

std::vector<CameraTrack> CamerasOf(const Clip& clip) {
  std::vector<CameraTrack> cameras;
  for (const ClipView& view : clip.views) cameras.push_back(view.camera);
  return cameras;
}

}  // namespace aim
