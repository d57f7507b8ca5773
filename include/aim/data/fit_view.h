// A view at the picture size that a model was trained for.
#pragma once

#include "aim/codec/clip.h"

namespace aim {

// Every frame [height, width] loses its margins to the new aspect and is resized; the cameras
// follow. There may be more cameras than frames (frames to come), or none.
ClipView FitView(const ClipView& view, int width, int height, int new_width, int new_height);

// All views of a clip.
Clip FitClip(const Clip& clip, int new_width, int new_height);

}  // namespace aim
