// A pose as six numbers, as DROID and the robots of its kind have it.
#pragma once

#include <cstddef>
#include <span>

#include "aim/geometry/rigid3.h"

namespace aim {

inline constexpr size_t kEulerPoseNumbers = 6;

// x y z, metres, and three angles, radians, extrinsic xyz (RotationFromEuler). Finiteness is not
// checked.
Rigid3d RigidFromEulerPose(std::span<const double> numbers);

}  // namespace aim
