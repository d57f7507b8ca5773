#include "aim/geometry/symmetric_eigen.h"

#include <gtest/gtest.h>

namespace aim {
namespace {

// A = Q diag(1, 2, 3, 4) Q^T with Q a reflection, known in closed form.
Eigen::Matrix4d KnownMatrix() {
  const Eigen::Vector4d normal = Eigen::Vector4d(1, -2, 3, 0.5).normalized();
  const Eigen::Matrix4d reflection = Eigen::Matrix4d::Identity() - 2 * normal * normal.transpose();
  return reflection * Eigen::Vector4d(1, 2, 3, 4).asDiagonal() * reflection;
}

TEST(SymmetricEigenTest, FindsTheValuesAndVectorsInAscendingOrder) {
  const Eigen::Matrix4d matrix = KnownMatrix();
  const SymmetricEigen eigen = DecomposeSymmetric(matrix);
  EXPECT_LT((eigen.values - Eigen::Vector4d(1, 2, 3, 4)).norm(), 1e-12);
  EXPECT_LT((matrix * eigen.vectors - eigen.vectors * eigen.values.asDiagonal()).norm(), 1e-12);
  EXPECT_LT((eigen.vectors.transpose() * eigen.vectors - Eigen::Matrix4d::Identity()).norm(),
            1e-12);
  EXPECT_LT((SymmetricEigenvalues(matrix) - eigen.values).norm(), 1e-12);
}

TEST(SymmetricEigenTest, ReadsTheLowerTriangleAlone) {
  Eigen::Matrix4d matrix = KnownMatrix();
  const Eigen::VectorXd values = SymmetricEigenvalues(matrix);
  matrix.triangularView<Eigen::StrictlyUpper>().setConstant(99);
  EXPECT_LT((SymmetricEigenvalues(matrix) - values).norm(), 1e-12);
}

}  // namespace
}  // namespace aim
