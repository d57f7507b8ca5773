// Where the cameras stand and where the tool went, drawn as lines.
#pragma once

#include <string>

#include "aim/codec/clip.h"

namespace aim {

// "front", or "view 0" of one without a name.
std::string ViewLabel(const CameraTrack& track, size_t view);

// Two drawings as parts of a page: from above (x to the right, y up) and from a corner. Each camera
// is the pyramid that it sees, at its first frame; one that moves leaves its path. The tip's path
// with the tool's axes on the way, the directions of the world's axes, a measure. Cameras that are
// not known are left out. Empty if there is nothing to draw.
std::string SceneHtml(const Clip& clip);

}  // namespace aim
