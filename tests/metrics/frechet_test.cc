#include "aim/metrics/frechet.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/rng.h"
#include "support/made_numbers.h"
#include "support/source_dir.h"

namespace aim {
namespace {

Eigen::MatrixXd RandomSamples(int count, int features, uint64_t seed) {
  Rng rng(seed);
  Eigen::MatrixXd samples(count, features);
  for (double& value : samples.reshaped()) value = rng.Normal();
  return samples;
}

Eigen::MatrixXd MadeSamples(uint32_t seed, int count, int features, double scale) {
  const std::vector<double> numbers =
      testing::HashedNumbers(seed, static_cast<size_t>(count) * static_cast<size_t>(features));
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return scale * Eigen::Map<const RowMajor>(numbers.data(), count, features);
}

// scipy.linalg.sqrtm of the product of the covariances (scripts/make_metric_fixture.py). Where
// these are singular its root is good to the square root of the last bit alone.
TEST(FrechetDistance, AgreesWithTheMatrixSquareRoot) {
  const auto fixture = nlohmann::json::parse(
      ReadFile(testing::SourceDir() / "tests/data/metric_fixture.json"))["frechet"];
  ASSERT_EQ(fixture.size(), 3u);
  for (const auto& expected : fixture) {
    const int features = expected["features"];
    const int num_first = expected["first"];
    const int num_second = expected["second"];
    const bool is_singular = std::min(num_first, num_second) <= features;
    EXPECT_NEAR(FrechetDistance(MadeSamples(3, num_first, features, 1),
                                MadeSamples(4, num_second, features, 1.5)),
                expected["distance"], is_singular ? 1e-6 : 1e-12)
        << expected;
  }
}

// Two normal distributions along one axis: (m1 - m2)^2 + (s1 - s2)^2. Eleven further axes that
// never move leave the covariance of rank one.
TEST(FrechetDistance, OfOneDimensionIsKnownWhateverTheRank) {
  for (const int num_features : {1, 12}) {
    Eigen::MatrixXd first = Eigen::MatrixXd::Constant(3, num_features, 7);
    Eigen::MatrixXd second = first;
    first.col(0) << 0, 1, 2;   // mean 1, deviation 1
    second.col(0) << 1, 4, 7;  // mean 4, deviation 3
    EXPECT_NEAR(FrechetDistance(first, second), 9 + 4, 1e-12) << num_features;
  }
}

TEST(FrechetDistance, OfASetWithItselfIsZeroAndIsSymmetric) {
  for (const int count : {3, 8, 40}) {  // fewer, as many, more than features
    const Eigen::MatrixXd first = RandomSamples(count, 8, 1);
    const Eigen::MatrixXd second = RandomSamples(count + 2, 8, 2);
    EXPECT_NEAR(FrechetDistance(first, first), 0, 1e-12) << count;
    EXPECT_NEAR(FrechetDistance(first, second), FrechetDistance(second, first), 1e-12) << count;
    EXPECT_GT(FrechetDistance(first, second), 0.01) << count;
  }
}

// Samples moved by a vector: its squared length, exactly, though the covariances are singular.
TEST(FrechetDistance, OfMovedSamplesIsTheSquaredStep) {
  const Eigen::MatrixXd samples = RandomSamples(4, 20, 3);
  const Eigen::RowVectorXd step = RandomSamples(1, 20, 4);
  EXPECT_NEAR(FrechetDistance(samples, samples.rowwise() + step), step.squaredNorm(), 1e-10);
}

// A rotation of the axes and the order of samples change nothing.
TEST(FrechetDistance, DependsOnNoAxesAndNoOrder) {
  const Eigen::MatrixXd first = RandomSamples(5, 3, 5);
  const Eigen::MatrixXd second = RandomSamples(9, 3, 6);
  const double distance = FrechetDistance(first, second);
  const Eigen::MatrixXd turned = first.rowwise().reverse();
  EXPECT_NEAR(FrechetDistance(turned, second.rowwise().reverse()), distance, 1e-12);
  EXPECT_NEAR(FrechetDistance(first.colwise().reverse(), second), distance, 1e-12);
}

}  // namespace
}  // namespace aim
