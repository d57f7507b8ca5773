// Plücker rays of pixels: how the network is told where the cameras are.
#pragma once

#include <span>

#include "aim/geometry/camera.h"

namespace aim {

// Fills `out` [6, rows, columns] with the rays of `camera` seen from the frame of `reference`:
// channels 0-2 the unit direction d, 3-5 the moment (t x d) / 3, t the camera centre (metres).
// Rays are sampled at the centres of a rows x columns grid over the picture.
// docs/reference/method.md 3.1, with OpenCV axes. `out` must hold 6 * rows * columns floats.
void PluckerRaysInto(const Camera& camera, const Rigid3d& world_from_reference, int rows,
                     int columns, std::span<float> out);

}  // namespace aim
