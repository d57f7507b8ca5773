#include "aim/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::aim::testing::ExpectThrowsWith;
using ::aim::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(HtmlTest, TextFromOutsideIsText) {
  EXPECT_EQ(EscapeHtml("<script>a && b</script>"), "&lt;script&gt;a &amp;&amp; b&lt;/script&gt;");
  EXPECT_EQ(EscapeHtml("\" onload=\"x' y"), "&quot; onload=&quot;x&#39; y");
  EXPECT_EQ(EscapeHtml("d\u00E9j\u00E0 vu"), "d\u00E9j\u00E0 vu");
  EXPECT_EQ(EscapeHtml(""), "");
  EXPECT_EQ(WordsHtml("close_jar_<b>"), "close jar &lt;b&gt;");
}

TEST(HtmlTest, WhatWasNotMeasuredIsADash) {
  EXPECT_EQ(NumberHtml(2.345, 2), "2.35");
  EXPECT_EQ(NumberHtml(-0.5, 0, 10), "-5");
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(NumberHtml(value, 1), "&ndash;");
    EXPECT_EQ(PercentHtml(value), "&ndash;");
  }
  EXPECT_EQ(NumberHtml(std::nullopt, 1), "&ndash;");
  // No number is too long for its place.
  EXPECT_EQ(NumberHtml(std::numeric_limits<double>::max(), 1).size(), 311U);
}

TEST(HtmlTest, RatesAreInPercent) {
  EXPECT_EQ(PercentHtml(0.125), "12");
  EXPECT_EQ(PercentHtml(0.125, 1), "12.5");
  EXPECT_EQ(IntervalHtml(0, 0.5), "0&ndash;50");
}

TEST(HtmlTest, SmallPValuesShowTheirOrder) {
  EXPECT_EQ(PValueHtml(1), "1.0000");
  EXPECT_EQ(PValueHtml(0.03125), "0.0312");
  EXPECT_EQ(PValueHtml(1e-4), "0.0001");
  EXPECT_EQ(PValueHtml(2.4e-7), "2e-07");
}

// RFC 4648, section 10, and all that a byte can be.
TEST(HtmlTest, PicturesStandInsideThePage) {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {std::string("\xFB\xFF\x00", 3), "+/8A"},
  };
  for (const auto& [bytes, base64] : cases) {
    WriteFileAtomic(folder / "a.png", bytes);
    EXPECT_EQ(EmbeddedImageHtml(folder / "a.png", "a \"picture\""),
              "<img alt=\"a &quot;picture&quot;\" src=\"data:image/png;base64," + base64 + "\">");
  }
  WriteFileAtomic(folder / "a.jpg", "foo");
  EXPECT_THAT(EmbeddedImageHtml(folder / "a.jpg", ""), HasSubstr("data:image/jpeg;base64,Zm9v"));
  ExpectThrowsWith<InputError>([&] { EmbeddedImageHtml(folder / "none.png", ""); }, {"none.png"});
}

TEST(HtmlTest, PageStandsAlone) {
  const std::string page = PageHtml("A <title>", "<p>body</p>");
  EXPECT_EQ(page.rfind("<!doctype html>", 0), 0U);
  EXPECT_THAT(page, HasSubstr("<title>A &lt;title&gt;</title>"));
  EXPECT_THAT(page, HasSubstr("<h1>A &lt;title&gt;</h1><p>body</p></main></html>"));
  for (const char* reference : {"http:", "https:", "src=", "href=", "@import", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(reference)));
  }
}

}  // namespace
}  // namespace aim
