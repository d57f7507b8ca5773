// Pictures side by side and below each other.
#pragma once

#include <set>
#include <span>

#include "aim/media/image.h"

namespace aim {

// Up to `count` frames of a clip, at least 2, the first and the last among them, evenly between.
std::set<int> SpreadFrames(int num_frames, int count);

// Pictures side by side, `gap_px` white pixels between them. All must have one height.
Image Filmstrip(std::span<const Image> images, int gap_px = 2);

// Pictures below each other, left-aligned on white.
Image StackImages(std::span<const Image> images, int gap_px = 2);

}  // namespace aim
