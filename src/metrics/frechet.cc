#include "aim/metrics/frechet.h"

#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>

#include "aim/base/error.h"

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

}  // namespace

double FrechetDistance(const Eigen::MatrixXd& first, const Eigen::MatrixXd& second) {
  AIM_CHECK(first.cols() == second.cols() && first.rows() >= 2 && second.rows() >= 2);
  const Eigen::MatrixXd first_factor = CovarianceFactor(first);
  const Eigen::MatrixXd second_factor = CovarianceFactor(second);
  const Eigen::MatrixXd product = first_factor.transpose() * second_factor;
  const double root_trace = Eigen::BDCSVD<Eigen::MatrixXd>(product).singularValues().sum();
  const double mean_term = (first.colwise().mean() - second.colwise().mean()).squaredNorm();
  const double traces = first_factor.squaredNorm() + second_factor.squaredNorm();
  return std::max(0.0, mean_term + traces - 2 * root_trace);
}

}  // namespace aim
