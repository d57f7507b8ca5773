// Rigid motions and rotations.
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <numbers>

namespace aim {

inline constexpr double kDegree = std::numbers::pi / 180;  // rad

// Rigid motion between two frames: p_in_b = b_from_a * p_in_a.
struct Rigid3d {
  Eigen::Quaterniond rotation = Eigen::Quaterniond::Identity();  // unit norm
  Eigen::Vector3d translation = Eigen::Vector3d::Zero();         // origin of a in b, metres
};

inline Eigen::Vector3d operator*(const Rigid3d& b_from_a, const Eigen::Vector3d& p_in_a) {
  return b_from_a.rotation * p_in_a + b_from_a.translation;
}

// Renormalises: long chains would drift off the unit sphere.
inline Rigid3d operator*(const Rigid3d& c_from_b, const Rigid3d& b_from_a) {
  return {(c_from_b.rotation * b_from_a.rotation).normalized(), c_from_b * b_from_a.translation};
}

Rigid3d Inverse(const Rigid3d& b_from_a);

// 4x4 matrix with last row 0 0 0 1.
Eigen::Matrix4d ToMatrix(const Rigid3d& b_from_a);

// Throws InputError, naming `where`, unless `matrix` is finite, its last row is 0 0 0 1 and its
// rotation is orthonormal with determinant +1 (within 1e-3; it is then orthonormalised).
Rigid3d RigidFromMatrix(const Eigen::Matrix4d& matrix, const std::string& where);

// Rotation vector (axis times angle, radians) <-> unit quaternion. Stable at 0 and pi.
Eigen::Quaterniond ExpRotation(const Eigen::Vector3d& rotation_vector);
Eigen::Vector3d LogRotation(const Eigen::Quaterniond& rotation);

// Angle between two rotations, radians in [0, pi].
double AngleBetween(const Eigen::Quaterniond& a, const Eigen::Quaterniond& b);

// The shortest rotation that turns the direction of `from` into that of `to`; neither is zero.
// Directions that are opposite to 1e-6 rad are half a turn about some axis across apart. (As
// Eigen's FromTwoVectors, which decomposes a matrix for it: ten seconds of compiling.)
Eigen::Quaterniond RotationBetween(const Eigen::Vector3d& from, const Eigen::Vector3d& to);

// The same rotation with qw >= 0 (the sign used in files and on the wire).
Eigen::Quaterniond CanonicalSign(const Eigen::Quaterniond& rotation);

// Extrinsic xyz Euler angles (radians): R = Rz(c) Ry(b) Rx(a), as (a, b, c).
// docs/reference/method.md 1.1.
Eigen::Quaterniond RotationFromEuler(const Eigen::Vector3d& angles_rad);
Eigen::Vector3d EulerFromRotation(const Eigen::Quaterniond& rotation);

// Linear in position, SLERP in rotation; fraction in [0, 1].
Rigid3d Interpolate(const Rigid3d& from, const Rigid3d& to, double fraction);

}  // namespace aim
