#include "aim/metrics/frechet.h"

#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/geometry/symmetric_eigen.h"

namespace aim {
namespace {

// S of C = S S^T, [D, min(N, D)].
Eigen::MatrixXd CovarianceFactor(const Eigen::MatrixXd& samples) {
  const Eigen::MatrixXd centred = (samples.rowwise() - samples.colwise().mean()) /
                                  std::sqrt(static_cast<double>(samples.rows() - 1));
  if (samples.rows() <= samples.cols()) return centred.transpose();
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(centred);
  const Eigen::MatrixXd upper =
      qr.matrixQR().topRows(samples.cols()).triangularView<Eigen::Upper>();
  return upper.transpose();
}

// The sum of the singular values of P: [[0, P], [P^T, 0]] has them and their negatives, and zeros,
// as its eigenvalues. (A decomposition of P itself takes the compiler half a minute.)
double SumOfSingularValues(const Eigen::MatrixXd& product) {
  const Eigen::Index rows = product.rows();
  const Eigen::Index size = rows + product.cols();
  Eigen::MatrixXd lower = Eigen::MatrixXd::Zero(size, size);
  lower.bottomLeftCorner(product.cols(), rows) = product.transpose();
  return SymmetricEigenvalues(lower).cwiseAbs().sum() / 2;
}

}  // namespace

double FrechetDistance(const Eigen::MatrixXd& first, const Eigen::MatrixXd& second) {
  AIM_CHECK(first.cols() == second.cols() && first.rows() >= 2 && second.rows() >= 2);
  const Eigen::MatrixXd first_factor = CovarianceFactor(first);
  const Eigen::MatrixXd second_factor = CovarianceFactor(second);
  const Eigen::MatrixXd product = first_factor.transpose() * second_factor;
  const double root_trace = SumOfSingularValues(product);
  const double mean_term = (first.colwise().mean() - second.colwise().mean()).squaredNorm();
  const double traces = first_factor.squaredNorm() + second_factor.squaredNorm();
  return std::max(0.0, mean_term + traces - 2 * root_trace);
}

}  // namespace aim
