// Pictures as a camera turned a little, or another light, would have made them.
#pragma once

#include <Eigen/Core>
#include <optional>

#include "aim/media/resize.h"

namespace aim {

// A camera turned about its own centre and zoomed: the one change of place that needs no depth, so
// that what the new camera says of the picture is exact.
struct CameraTurn {
  Eigen::Vector3d rotation_rad = Eigen::Vector3d::Zero();  // rotation vector in the camera's axes
  double zoom = 1;                                         // of the focal lengths, at least 1
};

// The camera after the turn, of the same size and principal point. Zooms further than asked where
// the picture would not fill it; nothing where it would have to by more than 2.
std::optional<Camera> TurnCamera(const Camera& camera, const CameraTurn& turn);

// What `turned`, a camera with the centre of `camera`, sees of its picture: pixels between four are
// interpolated, those outside are the border's. Throws InputError unless both have its size.
Image SeenBy(const Camera& turned, const Image& image, const Camera& camera);

struct LightChange {
  double brightness = 1;  // factor of all values
  double contrast = 1;    // factor of the distance from middle grey
  double saturation = 1;  // factor of the distance from grey
  double hue_rad = 0;     // turn about the grey axis
};
void ChangeLight(const LightChange& change, Image& image);

}  // namespace aim
