#include "aim/report/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/count_parts.h"

namespace aim {
namespace {

using ::aim::testing::CountParts;
using ::testing::HasSubstr;
using ::testing::Not;

// The drawing is 1000 by 1000, y from the top.
TEST(LineChartTest, PlacesAreThoseOfTheValues) {
  LineChart chart{
      .title = "loss", .x_name = "step", .lines = {{"a", {{0, 0}, {50, 10}, {100, 5}}}}};
  chart.lines.push_back({"given", {{0, 10}, {100, 10}}, true});
  chart.shaded = {{25, 50}};
  chart.threshold = 2;
  const std::string html = LineChartHtml(chart);
  EXPECT_THAT(html, HasSubstr("<polyline class=\"line0\" points=\"0.0,1000.0 500.0,0.0 "
                              "1000.0,500.0\"/>"));
  EXPECT_THAT(html, HasSubstr("<polyline class=\"reference\" points=\"0.0,0.0 1000.0,0.0\"/>"));
  EXPECT_THAT(html, HasSubstr("<rect class=shaded x=\"250.0\" y=0 width=\"250.0\""));
  EXPECT_THAT(html, HasSubstr("<path class=threshold d=\"M0 800.0H1000\"/>"));
  EXPECT_THAT(html, HasSubstr("<span class=ytick style=\"top:0.00%\">10</span>"));
  EXPECT_THAT(html, HasSubstr("<span class=xtick style=\"left:100.00%\">100</span>"));
  EXPECT_THAT(html, HasSubstr("<i class=\"key reference\"></i>given"));
  EXPECT_THAT(html, HasSubstr("<div class=xname>step</div>"));
  EXPECT_EQ(CountParts(html, "<i class=\"point line0\""), 3U);
  EXPECT_EQ(CountParts(html, "<i class=\"point reference\""), 0U);
}

// A line of one point would not be seen, a reference's either.
TEST(LineChartTest, OnePointIsADot) {
  const std::string html =
      LineChartHtml({.title = "", .x_name = "", .lines = {{"a", {{1, 1}}}, {"b", {{1, 2}}, true}}});
  EXPECT_EQ(CountParts(html, "<i class=\"point line0\""), 1U);
  EXPECT_EQ(CountParts(html, "<i class=\"point reference\""), 1U);
}

TEST(LineChartTest, OnlyALineWithANameHasALegend) {
  EXPECT_THAT(LineChartHtml({.title = "x", .x_name = "y", .lines = {{"", {{0, 1}}}}}),
              Not(HasSubstr("class=legend")));
}

// A quantity that falls by orders of magnitude; zeros have no logarithm.
TEST(LineChartTest, ALogarithmicAxisIsSaid) {
  LineChart chart{.title = "loss", .x_name = "step", .lines = {{"", {{0, 100}, {1, 10}, {2, 1}}}}};
  EXPECT_THAT(LineChartHtml(chart), Not(HasSubstr("logarithmic")));
  chart.prefer_log = true;
  EXPECT_THAT(LineChartHtml(chart), HasSubstr("loss (logarithmic axis)"));
  EXPECT_THAT(LineChartHtml(chart), HasSubstr("points=\"0.0,0.0 500.0,500.0 1000.0,1000.0\""));
  chart.lines[0].points.push_back({3, 0});
  EXPECT_THAT(LineChartHtml(chart), Not(HasSubstr("logarithmic")));
}

TEST(LineChartTest, WhatIsNotFiniteIsLeftOut) {
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  const std::string html =
      LineChartHtml({.title = "x", .x_name = "", .lines = {{"", {{0, 1}, {1, nothing}, {2, 3}}}}});
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_EQ(CountParts(html, "class=\"point"), 2U);
  const std::string empty =
      LineChartHtml({.title = "x", .x_name = "", .lines = {{"", {{0, nothing}}}}});
  EXPECT_THAT(empty, HasSubstr("points=\"\""));
}

TEST(LineChartTest, WordsAreText) {
  const std::string html =
      LineChartHtml({.title = "<script>", .x_name = "\"&", .lines = {{"<b>", {{0, 1}}}}});
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, HasSubstr("&quot;&amp;"));
}

}  // namespace
}  // namespace aim
