#pragma once

#include <Eigen/Core>

namespace aim {

struct SymmetricEigen {
  Eigen::VectorXd values;   // [N], ascending
  Eigen::MatrixXd vectors;  // [N, N], of length one, a column a value
};

// Eigenvalues and eigenvectors of a symmetric matrix [N, N], of which the lower triangle alone is
// read. In one place, because Eigen's decomposition takes the compiler ten seconds.
SymmetricEigen DecomposeSymmetric(const Eigen::MatrixXd& lower);

// The eigenvalues alone, [N], ascending: a fifth of the work for large matrices.
Eigen::VectorXd SymmetricEigenvalues(const Eigen::MatrixXd& lower);

}  // namespace aim
