#include "report/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace aim {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

std::vector<std::string> Texts(const Axis& axis) {
  std::vector<std::string> texts;
  for (const double tick : axis.ticks) texts.push_back(axis.TickText(tick));
  return texts;
}

TEST(AxisTest, NumbersAreRound) {
  EXPECT_THAT(Texts(ExactAxis(0, 20)), ElementsAre("0", "5", "10", "15", "20"));
  EXPECT_THAT(Texts(ExactAxis(0, 1)), ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(Texts(ExactAxis(3, 17)), ElementsAre("5", "10", "15"));
  EXPECT_THAT(Texts(ExactAxis(0, 20000)), ElementsAre("0", "5k", "10k", "15k", "20k"));
  EXPECT_THAT(Texts(ExactAxis(-0.02, 0.02)), ElementsAre("-0.02", "-0.01", "0", "0.01", "0.02"));
}

TEST(AxisTest, RoundAxesHoldTheirValues) {
  const Axis axis = RoundAxis(3.2, 17.1);
  EXPECT_EQ(axis.low, 0);
  EXPECT_EQ(axis.high, 20);
  EXPECT_THAT(Texts(axis), ElementsAre("0", "5", "10", "15", "20"));
  EXPECT_EQ(axis.At(5), 0.25);
  EXPECT_THAT(Texts(RoundAxis(0.15, 1.08)),  // its ends are ticks
              ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0", "1.2"));
  EXPECT_EQ(axis.At(-1), 0);
  EXPECT_EQ(axis.At(21), 1);
}

TEST(AxisTest, OneValueLiesInTheMiddle) {
  for (const double value : {0.0, 7.0, -3.0, 1e-9, 1e12}) {
    const Axis axis = ExactAxis(value, value);
    EXPECT_DOUBLE_EQ(axis.At(value), 0.5) << value;
    EXPECT_GE(axis.ticks.size(), 2U) << value;
  }
}

// Means of one value may differ by a rounding.
TEST(AxisTest, ARoundingApartIsOneValue) {
  for (const double value : {5e-4, 7.0, -3.0, 1e12}) {
    const Axis axis = ExactAxis(value, std::nextafter(value, 1e300));
    EXPECT_LE(axis.ticks.size(), 6U) << value;
    EXPECT_NEAR(axis.At(value), 0.5, 1e-6) << value;
  }
}

TEST(AxisTest, LogarithmsAreEven) {
  const Axis axis = LogAxis(0.03, 1.4);
  EXPECT_THAT(axis.low, DoubleEq(0.02));
  EXPECT_THAT(axis.high, DoubleEq(2));
  EXPECT_THAT(Texts(axis), ElementsAre("0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"));
  EXPECT_NEAR(axis.At(0.2), 0.5, 1e-12);
  EXPECT_THAT(Texts(LogAxis(1e-4, 30)), ElementsAre("0.0001", "0.001", "0.01", "0.1", "1", "10"));
  const Axis one = LogAxis(1, 1);
  EXPECT_LT(one.low, one.high);
}

TEST(AxisTest, LargeNumbersAreShort) {
  EXPECT_THAT(Texts(ExactAxis(0, 1e5)), ElementsAre("0", "20k", "40k", "60k", "80k", "100k"));
  EXPECT_THAT(Texts(ExactAxis(0, 2e6)), ElementsAre("0", "0.5M", "1.0M", "1.5M", "2.0M"));
}

}  // namespace
}  // namespace aim
