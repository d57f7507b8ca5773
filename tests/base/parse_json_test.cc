#include "aim/base/parse_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace aim {
namespace {

std::string Nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonDepth, CountsBracketsOutsideOfQuotes) {
  EXPECT_EQ(JsonDepth("3"), 0u);
  EXPECT_EQ(JsonDepth(R"({"a":[1,{"b":2}],"c":{}})"), 3u);
  EXPECT_EQ(JsonDepth(R"({"[[[\"[[":"\\","a":"]]"})"), 1u);
  EXPECT_EQ(JsonDepth("]]]}["), 1u);
  EXPECT_EQ(JsonDepth("\"[[["), 0u);
}

TEST(ParseJson, ReadsWhatIsShallow) {
  EXPECT_EQ(ParseJson(R"({"a":[1,2]})")["a"][1], 2);
  EXPECT_EQ(ParseJson("\xEF\xBB\xBF[1]")[0], 1);
  EXPECT_TRUE(ParseJson("{").is_discarded());
  EXPECT_TRUE(ParseJson("").is_discarded());
  EXPECT_FALSE(ParseJson(Nested(kMaxJsonDepth)).is_discarded());
}

// 300 000 brackets would end in the stack: copying a value recurses.
TEST(ParseJson, RefusesWhatIsDeep) {
  for (const size_t depth : {kMaxJsonDepth + 1, size_t{300'000}}) {
    const nlohmann::json value = ParseJson(Nested(depth));
    EXPECT_TRUE(value.is_discarded()) << depth;
    EXPECT_TRUE(nlohmann::json(value).is_discarded()) << depth;
  }
}

}  // namespace
}  // namespace aim
