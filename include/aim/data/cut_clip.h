// A window of a clip, as long as a model wants it.
#pragma once

#include "aim/codec/clip.h"

namespace aim {

// Frames [start, start + num_frames) of every view, its cameras and the poses; the last of each is
// repeated past its end.
Clip CutClip(const Clip& clip, int start, int num_frames);

}  // namespace aim
