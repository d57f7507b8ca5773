#include "aim/report/numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace aim {
namespace {

TEST(NumbersTest, WhatWasNotMeasuredIsADash) {
  EXPECT_EQ(NumberText(2.345, 2), "2.35");
  EXPECT_EQ(NumberText(-0.5, 0, 10), "-5");
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(NumberText(value, 1), "\u2013");
    EXPECT_EQ(PercentText(value), "\u2013");
    EXPECT_EQ(DurationText(value), "\u2013");
  }
  EXPECT_EQ(NumberText(std::nullopt, 1), kNotMeasured);
  // No number is too long for its place.
  EXPECT_EQ(NumberText(std::numeric_limits<double>::max(), 1).size(), 311U);
}

TEST(NumbersTest, RatesAreInPercent) {
  EXPECT_EQ(PercentText(0.125), "12");
  EXPECT_EQ(PercentText(0.125, 1), "12.5");
  EXPECT_EQ(IntervalText(0, 0.5), "0\u201350");
}

// Four successes of four: Wilson's interval is [0.5101, 1].
TEST(NumbersTest, FewEpisodesAreSaidAloud) {
  EXPECT_EQ(FewText(4, 0.5101, 1), "4 episodes: anything from 51 to 100 %");
  EXPECT_EQ(FewText(1, 0, 0.7935), "1 episode: anything from 0 to 79 %");
  EXPECT_EQ(FewText(100, 0.40, 0.59), "");
}

TEST(NumbersTest, SmallPValuesShowTheirOrder) {
  EXPECT_EQ(PValueText(1), "1.0000");
  EXPECT_EQ(PValueText(0.03125), "0.0312");
  EXPECT_EQ(PValueText(1e-4), "0.0001");
  EXPECT_EQ(PValueText(2.4e-7), "2e-07");
}

TEST(NumbersTest, DurationsAreInTheUnitsOfPeople) {
  EXPECT_EQ(DurationText(0), "0.0 s");
  EXPECT_EQ(DurationText(9.94), "9.9 s");
  EXPECT_EQ(DurationText(9.96), "10 s");
  EXPECT_EQ(DurationText(59.6), "1 min 00 s");
  EXPECT_EQ(DurationText(125), "2 min 05 s");
  EXPECT_EQ(DurationText(3600 * 27 + 60 * 5 + 20), "27 h 05 min");
  EXPECT_EQ(DurationText(-1), "\u2013");
}

TEST(NumbersTest, WordsAreThoseOfPeople) { EXPECT_EQ(WordsText("close_jar_<b>"), "close jar <b>"); }

}  // namespace
}  // namespace aim
