#include "aim/report/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::aim::testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using ::testing::Not;

nlohmann::json Video(const char* kind) {
  nlohmann::json video = {{"number", 0},        {"file", "<b> & \"x\""}, {"is_embedded", false},
                          {"is_linked", false}, {"is_missing", false},   {"source", "data:a+b/c="}};
  video[kind] = true;
  return video;
}

TEST(TemplateTest, TextFromOutsideIsText) {
  EXPECT_EQ(EscapeHtml("<script>a && b</script>"), "&lt;script&gt;a &amp;&amp; b&lt;/script&gt;");
  EXPECT_EQ(EscapeHtml("\" onload=\"x' y"), "&quot; onload=&quot;x&#39; y");
  EXPECT_EQ(EscapeHtml("d\u00E9j\u00E0 vu"), "d\u00E9j\u00E0 vu");
  EXPECT_EQ(EscapeHtml(""), "");
  const std::string facts =
      RenderTemplate("facts", {{"facts", {{{"value", "<i>"}, {"name", "a'b"}}}}});
  EXPECT_EQ(facts, "<div class=fact><b>&lt;i&gt;</b><span>a&#39;b</span></div>\n");
}

TEST(TemplateTest, SectionsShowWhatIsThere) {
  const std::string linked = RenderTemplate("videos", {{"videos", {Video("is_linked")}}});
  EXPECT_THAT(linked, HasSubstr("<a href=\"&lt;b&gt; &amp; &quot;x&quot;\">video 0</a>"));
  EXPECT_THAT(linked, Not(HasSubstr("<video")));
  const std::string embedded = RenderTemplate("videos", {{"videos", {Video("is_embedded")}}});
  EXPECT_THAT(embedded, HasSubstr("src=\"data:a+b/c=\"></video>"));
  EXPECT_THAT(embedded, Not(HasSubstr("<a ")));
  EXPECT_THAT(RenderTemplate("videos", {{"videos", {Video("is_missing")}}}), HasSubstr("is gone"));
  EXPECT_THAT(RenderTemplate("videos", {{"videos", nlohmann::json::array()}}),
              ::testing::MatchesRegex("<div class=videos>\n*</div>\n"));
}

TEST(TemplateTest, APageStandsAlone) {
  const nlohmann::json values = {{"title", "A <title>"}, {"reload_s", nullptr}};
  const std::string head = RenderTemplate("head", values);
  EXPECT_EQ(head.rfind("<!doctype html>", 0), 0U);
  EXPECT_THAT(head, HasSubstr("<title>A &lt;title&gt;</title>"));
  EXPECT_THAT(head, HasSubstr("<h1>A &lt;title&gt;</h1>"));
  EXPECT_THAT(head, HasSubstr("--ink:#1c2430"));
  for (const char* reference : {"http:", "https:", "src=", "href=", "@import", "url(", "refresh"})
    EXPECT_THAT(head, Not(HasSubstr(reference)));
  EXPECT_THAT(RenderTemplate("head", {{"title", ""}, {"reload_s", 60}}),
              HasSubstr("<meta http-equiv=refresh content=60>"));
}

// A mistake in a page is found by the first test that makes one.
TEST(TemplateTest, AMissingNameIsOurMistake) {
  ExpectThrowsWith<InternalError>(
      [] {
        RenderTemplate("head", {{"title", "x"}});
      },
      {"head", "reload_s"});
  ExpectThrowsWith<InternalError>(
      [] {
        RenderTemplate("facts", {{"facts", {{{"value", 1}}}}});
      },
      {"facts", "name"});
  ExpectThrowsWith<InternalError>([] { RenderTemplate("none", nlohmann::json::object()); },
                                  {"none"});
}

}  // namespace
}  // namespace aim
