#include "aim/report/bar_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "support/count_parts.h"

namespace aim {
namespace {

using ::aim::testing::CountParts;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(RateBarsTest, PlacesAreThoseOfTheRates) {
  const std::vector<RateBar> bars{
      {.label = "<first>", .rate = 0.5, .low = 0.25, .high = 0.75, .diamond = 1.0, .dot = 0.0},
      {.label = "second", .rate = 1.0, .low = 0.5, .high = 1.0, .note = "4 episodes & few"}};
  const std::string html = RateBarsHtml(bars, {"success, %", "gate", "null"});
  EXPECT_THAT(html, HasSubstr("<i class=bar style=\"width:50.0%\">"));
  EXPECT_THAT(html, HasSubstr("<i class=whisker style=\"left:25.0%;width:50.0%\">"));
  EXPECT_THAT(html, HasSubstr("<i class=diamond style=\"left:100.0%\">"));
  EXPECT_THAT(html, HasSubstr("<i class=dot style=\"left:0.0%\">"));
  EXPECT_THAT(html, HasSubstr("<i class=bar style=\"width:100.0%\">"));
  EXPECT_THAT(html, HasSubstr("<div class=barvalue>50 %</div>"));
  EXPECT_THAT(html, HasSubstr("<div class=barlabel>&lt;first&gt;</div>"));
  EXPECT_THAT(html, HasSubstr("<div class=barnote>4 episodes &amp; few</div>"));
  EXPECT_EQ(CountParts(html, "barnote"), 1U);
  EXPECT_EQ(CountParts(html, "<i class=dot style"), 1U);
  EXPECT_THAT(html, HasSubstr("<i class=diamond></i>gate"));
  EXPECT_THAT(html, HasSubstr("<i class=dot></i>null"));
}

TEST(RateBarsTest, ExplainsOnlyWhatHasAName) {
  const std::string none = RateBarsHtml({}, {"rate, %", "", ""});
  EXPECT_THAT(none, Not(HasSubstr("class=diamond")));
  EXPECT_THAT(none, Not(HasSubstr("class=dot")));
  EXPECT_EQ(CountParts(none, "class=xtick"), 6U);
  EXPECT_THAT(none, HasSubstr("rate, %"));
}

}  // namespace
}  // namespace aim
