#include "data/lerobot_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aim/base/rng.h"

namespace aim {
namespace {

using ::testing::ElementsAre;

// numpy 2: quantile([1, 2, 3, 4, 5], [.01, .1, .5, .9, .99]), std of the population.
TEST(LeRobotStatistics, AreThoseOfNumpy) {
  const std::vector<double> values = {5, -1, 3, -1, 1, -1, 2, -1, 4, -1};  // [5, 2]
  const ColumnStatistics statistics = StatisticsOf(values, 2);
  EXPECT_EQ(statistics.count, 5);
  EXPECT_THAT(statistics.min, ElementsAre(1, -1));
  EXPECT_THAT(statistics.max, ElementsAre(5, -1));
  EXPECT_THAT(statistics.mean, ElementsAre(3, -1));
  EXPECT_NEAR(statistics.std[0], std::sqrt(2.0), 1e-12);
  EXPECT_EQ(statistics.std[1], 0);
  const std::array<double, 5> expected = {1.04, 1.4, 3, 4.6, 4.96};
  for (size_t q = 0; q < expected.size(); ++q) {
    EXPECT_NEAR(statistics.quantiles[q][0], expected[q], 1e-12);
    EXPECT_EQ(statistics.quantiles[q][1], -1);
  }
}

TEST(LeRobotStatistics, OfOneRowAreThatRow) {
  const ColumnStatistics statistics = StatisticsOf(std::vector<double>{7, 8}, 2);
  EXPECT_THAT(statistics.quantiles[0], ElementsAre(7, 8));
  EXPECT_THAT(statistics.std, ElementsAre(0, 0));
}

// Of three pieces merged as of the whole, but for the quantiles, which are LeRobot's mean.
TEST(LeRobotStatistics, MergeToThoseOfTheWhole) {
  Rng rng(5);
  std::vector<double> values;
  for (int i = 0; i < 120; ++i) values.push_back(rng.Uniform(-3, 8));
  const std::span<const double> all(values);
  ColumnStatistics merged;
  double median = 0;
  for (const auto& [begin, count] : {std::pair<size_t, size_t>{0, 30}, {30, 6}, {36, 84}}) {
    const ColumnStatistics part = StatisticsOf(all.subspan(begin, count), 3);
    median += part.quantiles[2][1] * static_cast<double>(count) / 120;
    Merge(part, merged);
  }
  const ColumnStatistics whole = StatisticsOf(all, 3);
  EXPECT_EQ(merged.count, 40);
  EXPECT_EQ(merged.min, whole.min);
  EXPECT_EQ(merged.max, whole.max);
  for (size_t column = 0; column < 3; ++column) {
    EXPECT_NEAR(merged.mean[column], whole.mean[column], 1e-12);
    EXPECT_NEAR(merged.std[column], whole.std[column], 1e-12);
  }
  EXPECT_NEAR(merged.quantiles[2][1], median, 1e-12);
}

TEST(LeRobotStatistics, OfPicturesAreThoseOfTheirColours) {
  std::vector<uint8_t> rgb;
  std::vector<double> red;
  Rng rng(6);
  for (int pixel = 0; pixel < 200; ++pixel) {
    const auto level = static_cast<uint8_t>(rng.UniformInt(256));
    rgb.insert(rgb.end(), {level, 255, 0});
    red.push_back(level / 255.0);
  }
  const ColumnStatistics pictures = PictureStatistics(rgb, 2);
  const ColumnStatistics expected = StatisticsOf(red, 1);
  EXPECT_EQ(pictures.count, 2);
  EXPECT_THAT(pictures.min, ElementsAre(expected.min[0], 1, 0));
  EXPECT_THAT(pictures.max, ElementsAre(expected.max[0], 1, 0));
  EXPECT_NEAR(pictures.mean[0], expected.mean[0], 1e-12);
  EXPECT_NEAR(pictures.std[0], expected.std[0], 1e-12);
  EXPECT_EQ(pictures.std[1], 0);
  for (size_t q = 0; q < expected.quantiles.size(); ++q) {
    EXPECT_NEAR(pictures.quantiles[q][0], expected.quantiles[q][0], 0.02);  // levels lie 1.3 apart
    EXPECT_EQ(pictures.quantiles[q][2], 0);
  }
}

}  // namespace
}  // namespace aim
