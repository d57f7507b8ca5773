// Matchers with absolute tolerances. NaN never matches: they ask `error <= tolerance`.
#pragma once

#include <gmock/gmock.h>

#include <Eigen/Core>
#include <string>

#include "aim/geometry/rigid3.h"

namespace aim::testing {

// The same rotation up to `tolerance_rad`; q and -q are the same.
MATCHER_P2(RotationNear, expected, tolerance_rad,
           "is a rotation within " + ::testing::PrintToString(tolerance_rad) + " rad") {
  const double error_rad = AngleBetween(arg, expected);
  *result_listener << "which is " << error_rad << " rad away";
  const double norm = arg.norm();
  return error_rad <= tolerance_rad && norm >= 1 - 1e-9 && norm <= 1 + 1e-9;
}

// Positions in metres, 2-D or 3-D.
MATCHER_P2(PointNear, expected, tolerance_m,
           "is a point within " + ::testing::PrintToString(tolerance_m) + " m") {
  const double error_m = (arg - expected).norm();
  *result_listener << "which is " << error_m << " m away";
  return error_m <= tolerance_m;
}

// Image coordinates in pixels.
MATCHER_P2(PixelNear, expected, tolerance_px,
           "is an image point within " + ::testing::PrintToString(tolerance_px) + " px") {
  const double error_px = (arg - expected).norm();
  *result_listener << "which is (" << arg.x() << ", " << arg.y() << "), " << error_px << " px away";
  return error_px <= tolerance_px;
}

// Rigid motions: translation in metres and rotation in radians.
MATCHER_P3(RigidNear, expected, tolerance_m, tolerance_rad,
           "is a rigid motion within " + ::testing::PrintToString(tolerance_m) + " m and " +
               ::testing::PrintToString(tolerance_rad) + " rad") {
  const double error_m = (arg.translation - expected.translation).norm();
  const double error_rad = AngleBetween(arg.rotation, expected.rotation);
  *result_listener << "which is " << error_m << " m and " << error_rad << " rad away";
  return error_m <= tolerance_m && error_rad <= tolerance_rad;
}

}  // namespace aim::testing
