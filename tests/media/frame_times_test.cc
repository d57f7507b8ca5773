#include "aim/media/frame_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace aim {
namespace {

using ::testing::HasSubstr;

// Rounded to ticks, as files do.
std::vector<double> EvenTimes(int count, double fps, double tick_s, double start_s = 0) {
  std::vector<double> times_s;
  for (int k = 0; k < count; ++k) {
    times_s.push_back(std::round((start_s + k / fps) / tick_s) * tick_s);
  }
  return times_s;
}

TEST(FrameRateOf, KeepsWhatTheFileSaysWhereItIsTrue) {
  EXPECT_EQ(FrameRateOf(EvenTimes(300, 30000.0 / 1001, 0.001, 2.5), 30000.0 / 1001),
            30000.0 / 1001);
  EXPECT_EQ(FrameRateOf(std::vector<double>{4.0}, 25), 25);
  EXPECT_EQ(FrameRateOf({}, 0), 0);
}

// A file whose length holds a gap declares too low a rate; ticks of a millisecond must not cost 1
// %.
TEST(FrameRateOf, IsTheUsualRateWhereTheFileIsWrong) {
  EXPECT_NEAR(FrameRateOf(std::vector<double>{0, .12, .24, .36, .48, .96, 1.08, 1.2}, 6.06),
              1 / 0.12, 1e-9);
  EXPECT_NEAR(FrameRateOf(EvenTimes(100, 30, 0.001), 0), 30, 0.01);
  EXPECT_NEAR(FrameRateOf(EvenTimes(100, 30, 0.001), 15), 30, 0.01);
}

TEST(DescribeUnevenTimes, NamesTheLargestGap) {
  const std::vector<double> times_s = {0, .12, .24, .36, .48, .96, 1.08, 1.2};
  EXPECT_EQ(DescribeUnevenTimes(times_s, 1 / 0.12),
            "frame 5 comes 0.48 s after frame 4, 0.12 s are usual");
  EXPECT_EQ(DescribeUnevenTimes(EvenTimes(50, 30, 0.001), 30), "");
  EXPECT_EQ(DescribeUnevenTimes(std::vector<double>{1.0}, 30), "");
}

TEST(DescribeTimesApart, CountsFromTheFirstFrame) {
  const std::vector<double> even = EvenTimes(6, 10, 1e-6);
  EXPECT_EQ(DescribeTimesApart(EvenTimes(6, 10, 1e-6, 7.3), even, 10), "");
  std::vector<double> late = even;
  late[4] += 0.3;
  EXPECT_EQ(DescribeTimesApart(late, even, 10), "frame 4 comes 0.3 s later");
  EXPECT_THAT(DescribeTimesApart(even, late, 10), HasSubstr("earlier"));
  late[4] = even[4] + 0.04;
  EXPECT_EQ(DescribeTimesApart(late, even, 10), "");
}

}  // namespace
}  // namespace aim
