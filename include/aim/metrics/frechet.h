// How far apart two sets of features are, each taken for a normal distribution.
#pragma once

#include <Eigen/Core>

namespace aim {

// The squared Fréchet distance |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), float64, never below 0:
// the number that FID and FVD report. One sample a row [N, D], at least two in each set;
// covariances with N - 1.
//
// With C = S S^T the trace of the root is the sum of the singular values of S1^T S2. S is made of
// the samples themselves, no covariance is squared or inverted, so that sets of fewer samples than
// features, whose covariances are singular, are as exact as others.
double FrechetDistance(const Eigen::MatrixXd& first, const Eigen::MatrixXd& second);

}  // namespace aim
