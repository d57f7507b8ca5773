#include "aim/base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/name_list.h"

namespace aim {
namespace {

TEST(TextTest, CountsHaveTheirNoun) {
  EXPECT_EQ(CountText(1, "clip"), "1 clip");
  EXPECT_EQ(CountText(0, "clip"), "0 clips");
}

TEST(TextTest, JoinPutsSeparatorsBetween) {
  EXPECT_EQ(Join({}), "");
  EXPECT_EQ(Join({"a"}), "a");
  EXPECT_EQ(Join({"a", "", "c"}), "a, , c");
  EXPECT_EQ(Join({"a", "b"}, "|"), "a|b");
}

TEST(TextTest, ShapesAndSizes) {
  EXPECT_EQ(ShapeText({}), "[]");
  EXPECT_EQ(ShapeText(std::vector<int64_t>{2, 3}), "[2, 3]");
  EXPECT_EQ(SizeText(640, 480), "640x480");
}

TEST(TextTest, ExcerptIsShortAndPrintable) {
  EXPECT_EQ(Excerpt("a\tb\xff"), "\"a?b?\"");
  EXPECT_EQ(Excerpt(std::string(60, 'x')), "\"" + std::string(60, 'x') + "\"");
  EXPECT_EQ(Excerpt(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

TEST(TextTest, JsonOfBytesThatAreNotUtf8IsWritten) {
  EXPECT_EQ(DumpJson({{"path", "a\xff"}}), "{\"path\":\"a\xef\xbf\xbd\"}");
  EXPECT_EQ(DumpJson(nlohmann::json::array({1}), 1), "[\n 1\n]");
}

TEST(HexText, IsSixteenDigits) {
  EXPECT_EQ(HexText(0), "0000000000000000");
  EXPECT_EQ(HexText(0xFEDCBA9876543210U), "fedcba9876543210");
}

TEST(NameListTest, CommasAndRepetitionAreOne) {
  using ::testing::ElementsAre;
  EXPECT_THAT(SplitNames({"front,overhead", "wrist"}), ElementsAre("front", "overhead", "wrist"));
  EXPECT_THAT(SplitNames({"a,", ",b", ""}), ElementsAre("a", "b"));
  EXPECT_TRUE(SplitNames({}).empty());
}

}  // namespace
}  // namespace aim
