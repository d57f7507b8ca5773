#include "aim/report/bar_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace aim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// The axis runs from 190 to 990: a rate of one half ends at 590.
TEST(RateBarsTest, PlacesAreThoseOfTheRates) {
  const std::vector<RateBar> bars{
      {.label = "first", .rate = 0.5, .low = 0.25, .high = 0.75, .diamond = 1.0, .dot = 0.0},
      {.label = "second", .rate = 1.0, .low = 0.5, .high = 1.0}};
  const std::string svg = RateBarsSvg(bars, {"success, %", "gate", "null"});
  EXPECT_THAT(svg, HasSubstr("<rect x='190' y='8' width='400' height=22"));
  EXPECT_THAT(svg, HasSubstr("M390 19H790"));           // the interval
  EXPECT_THAT(svg, HasSubstr("<path d='M990 13l6 6"));  // the diamond
  EXPECT_THAT(svg, HasSubstr("<circle cx='190' cy='19'"));
  EXPECT_THAT(svg, HasSubstr("<rect x='190' y='42' width='800' height=22"));
  EXPECT_THAT(svg, HasSubstr(">50 %</text>"));
  EXPECT_THAT(svg, HasSubstr(">first</text>"));
  EXPECT_EQ(Count(svg, "<circle"), 1U);
  EXPECT_EQ(Count(svg, "<rect"), 2U);
  EXPECT_THAT(svg, HasSubstr("&#9670; gate"));
  EXPECT_THAT(svg, HasSubstr("&#9679; null"));
}

TEST(RateBarsTest, GrowsWithItsRowsAndExplainsOnlyWhatHasAName) {
  const std::string none = RateBarsSvg({}, {"rate, %", "", ""});
  EXPECT_THAT(none, HasSubstr("viewBox='0 0 1070 56'"));
  EXPECT_THAT(none, Not(HasSubstr("tspan")));
  EXPECT_EQ(Count(none, "<line"), 6U);
  const std::vector<RateBar> bars(3);
  EXPECT_THAT(RateBarsSvg(bars, {}), HasSubstr("viewBox='0 0 1070 158'"));
}

}  // namespace
}  // namespace aim
