#include "aim/report/time_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace aim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The drawing is 1000 by 1000, value 1 at its top.
TEST(TimeChartTest, PlacesAreThoseOfTimesAndValues) {
  const std::vector<TimePoint> points = {{.time_s = 2, .value = 1},
                                         {.time_s = 3, .value = 0, .marked = true},
                                         {.time_s = 6, .value = 0.5}};
  const std::string html = TimeChartHtml(points, 0.2, "confidence");
  EXPECT_THAT(html, HasSubstr("points=\"0.0,0.0 250.0,1000.0 1000.0,500.0\""));
  EXPECT_THAT(html, HasSubstr("x=\"125.0\" y=0 width=\"500.0\""));  // 2.5 s to 4.5 s
  EXPECT_THAT(html, HasSubstr("class=threshold d=\"M0 800.0H1000\""));
  EXPECT_THAT(html, HasSubstr("style=\"left:100.00%\">6</span>"));
  EXPECT_THAT(html, HasSubstr("<figcaption>confidence</figcaption>"));
}

// One low frame among many is what a person must see.
TEST(TimeChartTest, ManyPointsAreThinnedToTheirLowest) {
  std::vector<TimePoint> points;
  for (int i = 0; i < 50000; ++i) points.push_back({.time_s = 0.1 * i, .value = 1});
  points[31234].value = 0;
  points[31234].marked = true;
  const std::string html = TimeChartHtml(points, 0.2, "");
  EXPECT_EQ(std::count(html.begin(), html.end(), ','), 400);
  EXPECT_THAT(html, HasSubstr(",1000.0"));
  EXPECT_THAT(html, HasSubstr("class=shaded"));
}

TEST(TimeChartTest, FewPointsDoNotMatter) {
  EXPECT_THAT(TimeChartHtml({}, 0.2, "x"), HasSubstr("points=\"\""));
  const std::vector<TimePoint> one = {{.time_s = 1, .value = 1}};
  EXPECT_THAT(TimeChartHtml(one, 0.2, "x"), HasSubstr("points=\"500.0,0.0\""));
  EXPECT_THAT(TimeChartHtml(one, 0.2, "x"), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace aim
