#include "aim/report/time_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace aim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The axis runs from 40 to 1040, from 1 at 8 down to 0 at 98.
TEST(TimeChartTest, PlacesAreThoseOfTimesAndValues) {
  const std::vector<TimePoint> points = {{.time_s = 2, .value = 1},
                                         {.time_s = 3, .value = 0, .marked = true},
                                         {.time_s = 6, .value = 0.5}};
  const std::string svg = TimeChartSvg(points, 0.2, "confidence");
  EXPECT_THAT(svg, HasSubstr("points='40,8 290,98 1040,53'"));
  EXPECT_THAT(svg, HasSubstr("<rect x='165' y='8' width='500' height='90'"));  // 2.5 s to 4.5 s
  EXPECT_THAT(svg, HasSubstr("M40 80h1000' stroke='#9a7a1c'"));                // the threshold
  EXPECT_THAT(svg, HasSubstr(">2.00 s</text>"));
  EXPECT_THAT(svg, HasSubstr(">6.00 s</text>"));
  EXPECT_THAT(svg, HasSubstr(">confidence</text>"));
}

// One low frame among many is what a person must see.
TEST(TimeChartTest, ManyPointsAreThinnedToTheirLowest) {
  std::vector<TimePoint> points;
  for (int i = 0; i < 50000; ++i) points.push_back({.time_s = 0.1 * i, .value = 1});
  points[31234].value = 0;
  points[31234].marked = true;
  const std::string svg = TimeChartSvg(points, 0.2, "");
  EXPECT_EQ(std::count(svg.begin(), svg.end(), ','), 400);
  EXPECT_THAT(svg, HasSubstr(",98"));
  EXPECT_THAT(svg, HasSubstr("<rect"));
}

TEST(TimeChartTest, FewPointsDoNotMatter) {
  EXPECT_THAT(TimeChartSvg({}, 0.2, "x"), HasSubstr("points=''"));
  const std::vector<TimePoint> one = {{.time_s = 1, .value = 1}};
  EXPECT_THAT(TimeChartSvg(one, 0.2, "x"), HasSubstr("points='40,8'"));
  EXPECT_THAT(TimeChartSvg(one, 0.2, "x"), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace aim
