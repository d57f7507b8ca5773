#include "aim/geometry/euler_pose.h"

#include "aim/base/error.h"

namespace aim {

Rigid3d RigidFromEulerPose(std::span<const double> numbers) {
  AIM_CHECK(numbers.size() >= kEulerPoseNumbers);
  const auto& n = numbers;
  return {RotationFromEuler({n[3], n[4], n[5]}), {n[0], n[1], n[2]}};
}

}  // namespace aim
