#include "aim/report/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "support/count_parts.h"

namespace aim {
namespace {

using ::aim::testing::CountParts;
using ::testing::HasSubstr;
using ::testing::Not;

// Sixteen intervals of [0, 16]; the drawing is 1000 by 1000, y from the top.
TEST(HistogramTest, BarsStandWhereTheValuesAre) {
  const std::string html = HistogramHtml(std::vector<double>{0, 0.5, 9, 20}, "x", "metres");
  EXPECT_THAT(html, HasSubstr("<rect class=count x=\"0.0\" y=\"600.0\" width=\"62.5\" height="
                              "\"400.0\"/>"));
  EXPECT_THAT(html, HasSubstr("x=\"437.5\" y=\"800.0\" width=\"62.5\" height=\"200.0\""));
  EXPECT_THAT(html, HasSubstr("x=\"937.5\""));
  EXPECT_EQ(CountParts(html, "class=count"), 3U);
  EXPECT_THAT(html, HasSubstr("<div class=xname>metres</div>"));
}

TEST(HistogramTest, OneValueIsABar) {
  const std::string html = HistogramHtml(std::vector<double>{3, 3}, "x", "y");
  EXPECT_EQ(CountParts(html, "class=count"), 1U);
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(HistogramTest, WhatIsNotFiniteIsLeftOut) {
  const std::vector<double> values = {1, std::numeric_limits<double>::quiet_NaN(), 2,
                                      std::numeric_limits<double>::infinity()};
  EXPECT_EQ(CountParts(HistogramHtml(values, "x", "y"), "class=count"), 2U);
}

}  // namespace
}  // namespace aim
