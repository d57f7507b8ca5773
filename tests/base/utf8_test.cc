#include "aim/base/utf8.h"

#include <gtest/gtest.h>

namespace aim {
namespace {

using namespace std::string_literals;

constexpr char kCafe[] = "caf\xC3\xA9";

TEST(ToUtf8, ReadsWhatEditorsWrite) {
  EXPECT_EQ(ToUtf8(kCafe), kCafe);
  EXPECT_EQ(ToUtf8("\xEF\xBB\xBF"s + kCafe), kCafe);
  EXPECT_EQ(ToUtf8("caf\xE9"), kCafe) << "Latin-1";
  EXPECT_EQ(ToUtf8("\xFF\xFE"
                   "c\0a\0f\0\xE9\0"s),
            kCafe);
  EXPECT_EQ(ToUtf8("\xFE\xFF"
                   "\0c\0a\0f\0\xE9"s),
            kCafe);
  EXPECT_EQ(ToUtf8("c\0a\0f\0\xE9\0"s), kCafe) << "UTF-16 without its mark";
  EXPECT_EQ(ToUtf8("\0c\0a\0f\0\xE9"s), kCafe);
  EXPECT_EQ(ToUtf8(""), "");
  EXPECT_EQ(ToUtf8("\xFF\xFE"), "");
}

// U+1F916 is two units; a half, or a last byte alone, is replaced.
TEST(ToUtf8, PairsOfUtf16) {
  EXPECT_EQ(ToUtf8("\xFF\xFE\x3E\xD8\x16\xDD"s), "\xF0\x9F\xA4\x96");
  EXPECT_EQ(ToUtf8("\xFF\xFE\x3E\xD8"
                   "a\0"s),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(ToUtf8("\xFF\xFE\x16\xDD"s), "\xEF\xBF\xBD");
  EXPECT_EQ(ToUtf8("\xFF\xFE"
                   "a\0b"s),
            "a\xEF\xBF\xBD");
}

// Every text of bytes becomes valid.
TEST(ToUtf8, IsAlwaysValid) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string bytes = {static_cast<char>(first), static_cast<char>(second), 'x'};
      EXPECT_TRUE(IsValidUtf8(ToUtf8(bytes))) << first << " " << second;
    }
  }
}

TEST(WithoutByteOrderMark, LeavesWhatHasNone) {
  EXPECT_EQ(WithoutByteOrderMark("caf\xE9"), "caf\xE9");
  EXPECT_EQ(WithoutByteOrderMark("a\0b\0"s), "a\0b\0"s);
  EXPECT_EQ(WithoutByteOrderMark("\xEF\xBB\xBF{}"), "{}");
  EXPECT_EQ(WithoutByteOrderMark("\xFF\xFE{\0}\0"s), "{}");
}

}  // namespace
}  // namespace aim
