#include "aim/geometry/checked_camera.h"

#include <cmath>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/geometry/tool_pose.h"
#include "aim/geometry/value_error.h"

namespace aim {
namespace {

constexpr double kAspectTolerance = 0.02;

}  // namespace

void RequirePinholeMatrix(const Eigen::Matrix3d& intrinsics, const std::string& where) {
  const Eigen::Matrix3d& k = intrinsics;
  if (k(0, 1) == 0 && k(1, 0) == 0 && k(2, 0) == 0 && k(2, 1) == 0 && k(2, 2) == 1) return;
  throw InputError({.where = where,
                    .got = "with skew, or with a last row that is not 0 0 1",
                    .expected = "fx 0 cx; 0 fy cy; 0 0 1, row by row",
                    .fix = "calibrate without skew, or undistort the pictures and give the "
                           "intrinsics of the result"});
}

Eigen::Matrix3d PinholeMatrix(const Camera& camera) {
  return Eigen::Matrix3d{{camera.fx, 0, camera.cx}, {0, camera.fy, camera.cy}, {0, 0, 1}};
}

Eigen::Quaterniond CheckedRotation(const Eigen::Quaterniond& rotation, const std::string& where,
                                   const std::string& fix) {
  const double norm = rotation.norm();
  if (std::abs(norm - 1.0) <= kPoseTolerance) return rotation.normalized();
  throw PoseError({.where = where,
                   .got = "a quaternion of length " + ToText(norm),
                   .expected = "length 1 within 0.001",
                   .fix = fix});
}

std::optional<Camera> ForResizedPictures(const Camera& camera, double w, double h, int width,
                                         int height) {
  if (!(std::abs(width * h / (height * w) - 1) <= kAspectTolerance)) return std::nullopt;
  return CropAndResize(camera, 0, 0, w, h, width, height);
}

}  // namespace aim
