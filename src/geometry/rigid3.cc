#include "aim/geometry/rigid3.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "aim/base/error.h"

namespace aim {

Rigid3d Inverse(const Rigid3d& b_from_a) {
  const Eigen::Quaterniond inverse = b_from_a.rotation.conjugate();
  return {inverse, -(inverse * b_from_a.translation)};
}

Eigen::Matrix4d ToMatrix(const Rigid3d& b_from_a) {
  Eigen::Matrix4d matrix = Eigen::Matrix4d::Identity();
  matrix.topLeftCorner<3, 3>() = b_from_a.rotation.toRotationMatrix();
  matrix.topRightCorner<3, 1>() = b_from_a.translation;
  return matrix;
}

Rigid3d RigidFromMatrix(const Eigen::Matrix4d& matrix, const std::string& where) {
  if (!matrix.allFinite()) {
    throw InputError(
        {where, "not finite", "16 finite numbers, row-major", "check the file for NaN or Inf"});
  }
  if ((matrix.row(3) - Eigen::RowVector4d(0, 0, 0, 1)).cwiseAbs().maxCoeff() > 1e-6) {
    throw InputError({where, "a matrix with a last row other than 0 0 0 1",
                      "a rigid motion, row-major",
                      "check whether the matrix was written column-major"});
  }
  const Eigen::Matrix3d rotation = matrix.topLeftCorner<3, 3>();
  const double defect =
      (rotation * rotation.transpose() - Eigen::Matrix3d::Identity()).cwiseAbs().maxCoeff();
  if (!(defect <= 1e-3) || !(rotation.determinant() > 0)) {
    throw InputError({where,
                      "not a rotation (|R R^T - I| = " + std::to_string(defect) +
                          ", det = " + std::to_string(rotation.determinant()) + ")",
                      "an orthonormal matrix with determinant +1", "remove scale and mirroring"});
  }
  return {Eigen::Quaterniond(rotation).normalized(), matrix.topRightCorner<3, 1>()};
}

Eigen::Quaterniond ExpRotation(const Eigen::Vector3d& rotation_vector) {
  const double angle_rad = rotation_vector.norm();
  // sin(a/2)/a, by its series where the quotient would lose digits.
  const double scale =
      angle_rad < 1e-6 ? 0.5 - angle_rad * angle_rad / 48.0 : std::sin(0.5 * angle_rad) / angle_rad;
  Eigen::Quaterniond rotation;
  rotation.w() = std::cos(0.5 * angle_rad);
  rotation.vec() = scale * rotation_vector;
  return rotation.normalized();
}

Eigen::Vector3d LogRotation(const Eigen::Quaterniond& rotation) {
  const Eigen::Quaterniond q = CanonicalSign(rotation);
  const double sine = q.vec().norm();
  const double angle_rad = 2.0 * std::atan2(sine, q.w());
  return sine < 1e-12 ? Eigen::Vector3d(2.0 * q.vec())
                      : Eigen::Vector3d(angle_rad / sine * q.vec());
}

double AngleBetween(const Eigen::Quaterniond& a, const Eigen::Quaterniond& b) {
  const Eigen::Quaterniond difference = a.conjugate() * b;
  return 2.0 * std::atan2(difference.vec().norm(), std::abs(difference.w()));
}

Eigen::Quaterniond RotationBetween(const Eigen::Vector3d& from, const Eigen::Vector3d& to) {
  const Eigen::Vector3d a = from.normalized(), b = to.normalized();
  const double cosine = a.dot(b);
  const double doubled_w = std::sqrt(std::max(0.0, 2.0 * (1.0 + cosine)));
  if (doubled_w < 1e-6) {
    const Eigen::Vector3d across = a.unitOrthogonal();
    return Eigen::Quaterniond(0, across.x(), across.y(), across.z());
  }
  const Eigen::Vector3d vector = a.cross(b) / doubled_w;
  return Eigen::Quaterniond(doubled_w / 2, vector.x(), vector.y(), vector.z());
}

Eigen::Quaterniond CanonicalSign(const Eigen::Quaterniond& rotation) {
  if (rotation.w() >= 0) return rotation;
  return Eigen::Quaterniond(-rotation.w(), -rotation.x(), -rotation.y(), -rotation.z());
}

Eigen::Quaterniond RotationFromEuler(const Eigen::Vector3d& angles_rad) {
  return (Eigen::AngleAxisd(angles_rad.z(), Eigen::Vector3d::UnitZ()) *
          Eigen::AngleAxisd(angles_rad.y(), Eigen::Vector3d::UnitY()) *
          Eigen::AngleAxisd(angles_rad.x(), Eigen::Vector3d::UnitX()))
      .normalized();
}

Eigen::Vector3d EulerFromRotation(const Eigen::Quaterniond& rotation) {
  const Eigen::Matrix3d r = rotation.toRotationMatrix();
  const double cosine = std::hypot(r(0, 0), r(1, 0));
  const double b = std::atan2(-r(2, 0), cosine);
  // At b = +-pi/2 only the difference or sum of a and c is known: all of it goes into a.
  if (cosine < 1e-9) return {std::atan2(-r(1, 2), r(1, 1)), b, 0.0};
  return {std::atan2(r(2, 1), r(2, 2)), b, std::atan2(r(1, 0), r(0, 0))};
}

Rigid3d Interpolate(const Rigid3d& from, const Rigid3d& to, double fraction) {
  return {from.rotation.slerp(fraction, to.rotation).normalized(),
          (1.0 - fraction) * from.translation + fraction * to.translation};
}

}  // namespace aim
