// Action images as pictures, alone and laid over others.
#pragma once

#include <span>

#include "aim/media/image.h"

namespace aim {

// Lays an action image [3, H, W] in [0, 1] over a picture of the same size: where a channel is
// bright its colour shows, with `strength` (0 to 1) at the peak. Values of B at or below the
// `pedestal` (the background that tells the gripper) are ignored.
Image BlendActionImage(const Image& image, std::span<const float> action, double strength = 0.8,
                       double pedestal = 0.25);

// The action image itself as a picture: [3, H, W] in [0, 1] to 8 bits, rounded to nearest.
Image ActionImageToImage(std::span<const float> action, int width, int height);

}  // namespace aim
