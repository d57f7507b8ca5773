#include "aim/text/prompt_cleaning.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "aim/base/atomic_file.h"
#include "support/source_dir.h"

namespace aim {
namespace {

using nlohmann::json;

json CleaningCases() {
  return json::parse(
             ReadFile(testing::SourceDir().string() + "/tests/data/text_fixture_cases.json"))
      .at("cleaning");
}

// By ftfy 6.3 and Python's html; scripts/make_text_fixture.py.
TEST(CleanPromptText, EqualsFtfyAndHtml) {
  const json cases = CleaningCases();
  ASSERT_GE(cases.size(), 50U);
  for (const json& item : cases) {
    EXPECT_EQ(CleanPromptText(item.at("text").get<std::string>()),
              item.at("clean").get<std::string>())
        << "text " << item.at("text").dump(-1, ' ', true);
  }
}

TEST(CleanPromptText, CleanTextStays) {
  for (const json& item : CleaningCases()) {
    const auto clean = item.at("clean").get<std::string>();
    // What looks like a reference again is none of clean text.
    if (clean.find('&') != clean.npos || clean.find_first_of("<\u201c") != clean.npos) continue;
    EXPECT_EQ(CleanPromptText(clean), clean);
  }
}

TEST(CleanPromptText, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  EXPECT_EQ(CleanPromptText("a\xFF\xC3"), "a\uFFFD\uFFFD");
}

TEST(CleanPromptText, LongTextsAndManyReferencesEnd) {
  std::string nested = "&lt;";
  for (int i = 0; i < 500; ++i) nested.insert(1, "amp;");
  EXPECT_EQ(CleanPromptText(nested), "<");
}

}  // namespace
}  // namespace aim
