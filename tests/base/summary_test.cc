#include "aim/base/summary.h"

#include <gtest/gtest.h>

#include <cmath>

namespace aim {
namespace {

TEST(Percentile, InterpolatesBetweenOrderStatistics) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(Percentile({0, 10}, 95), 9.5);
  EXPECT_EQ(Percentile({7}, 5), 7);
  EXPECT_TRUE(std::isnan(Median({})));
  EXPECT_TRUE(std::isnan(Mean({})));
}

// Monotone maps do not change ranks; the value with ties is by hand (mid-ranks).
TEST(Spearman, RanksOnly) {
  const std::vector<double> x = {1, 2, 3, 4, 5};
  EXPECT_NEAR(SpearmanCorrelation(x, std::vector<double>{1, 8, 27, 64, 125}), 1, 1e-12);
  EXPECT_NEAR(SpearmanCorrelation(x, std::vector<double>{5, 4, 3, 2, -9}), -1, 1e-12);
  EXPECT_NEAR(SpearmanCorrelation(std::vector<double>{1, 2, 3}, std::vector<double>{1, 1, 2}),
              std::sqrt(3.0) / 2, 1e-12);
  EXPECT_TRUE(std::isnan(SpearmanCorrelation(x, std::vector<double>{1, 1, 1, 1, 1})));
}

}  // namespace
}  // namespace aim
