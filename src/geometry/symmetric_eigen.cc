#include "aim/geometry/symmetric_eigen.h"

#include <Eigen/Eigenvalues>

namespace aim {

SymmetricEigen DecomposeSymmetric(const Eigen::MatrixXd& lower) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(lower);
  return {solver.eigenvalues(), solver.eigenvectors()};
}

Eigen::VectorXd SymmetricEigenvalues(const Eigen::MatrixXd& lower) {
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(lower, Eigen::EigenvaluesOnly)
      .eigenvalues();
}

}  // namespace aim
