// What the numbers of cameras and their poses must be, whatever file they come from.
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <optional>
#include <string>

#include "aim/geometry/camera.h"

namespace aim {

// The largest width and height of a picture, and what sizes must be, in words.
inline constexpr int kMaxPictureSidePx = 65536;
inline constexpr const char* kPictureSideText = "a whole number of pixels in [1, 65536]";

// Throws InputError naming `where` unless the matrix is fx 0 cx; 0 fy cy; 0 0 1. Focal lengths and
// the principal point are not judged.
void RequirePinholeMatrix(const Eigen::Matrix3d& intrinsics, const std::string& where);

// That matrix of a camera.
Eigen::Matrix3d PinholeMatrix(const Camera& camera);

// The rotation of a quaternion of length 1 within kPoseTolerance, normalised. Throws PoseError
// (value_error.h) naming `where`.
Eigen::Quaterniond CheckedRotation(const Eigen::Quaterniond& rotation, const std::string& where,
                                   const std::string& fix);

// The camera of pictures of w x h for the same pictures resized to width x height. Empty if those
// have another shape; whole pixels allow for 2 %.
std::optional<Camera> ForResizedPictures(const Camera& camera, double w, double h, int width,
                                         int height);

}  // namespace aim
