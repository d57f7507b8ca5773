// Goldens: unicodedata of Python 3.11 (Unicode 14.0.0); grapheme clusters: the rules of UAX 29 by
// hand.
#include "text/unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace aim {
namespace {

constexpr char32_t kLastCode = 0x10FFFF;

bool IsSurrogate(char32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

// FNV-1a, 64 bits.
class Checksum {
 public:
  void Add(std::string_view bytes) {
    for (const char c : bytes) {
      value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    }
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325U;
};

// Every code survives UTF-8, takes the bytes that its size asks for, and is valid.
TEST(Utf8, EveryCodeSurvives) {
  for (char32_t code = 0; code <= kLastCode; ++code) {
    if (IsSurrogate(code)) continue;
    const std::string bytes = EncodeUtf8(std::u32string(1, code));
    const size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    ASSERT_EQ(bytes.size(), length) << std::hex << static_cast<uint32_t>(code);
    ASSERT_EQ(Utf8Length(bytes[0]), length) << std::hex << static_cast<uint32_t>(code);
    ASSERT_TRUE(IsValidUtf8(bytes)) << std::hex << static_cast<uint32_t>(code);
    ASSERT_EQ(DecodeUtf8(bytes), std::u32string(1, code));
  }
}

struct Broken {
  std::string name;
  std::string bytes;
  std::u32string codes;
};

// Each byte that is no part of a character becomes one U+FFFD; what follows is read again.
TEST(Utf8, BrokenBytesAreReplacedOneByOne) {
  const std::vector<Broken> cases{
      {"a tail alone", "a\x80z", U"a\uFFFDz"},
      {"a lead without its tail", "\xC3(", U"\uFFFD("},
      {"three bytes cut after two", "\xE2\x82", U"\uFFFD\uFFFD"},
      {"four bytes cut after three", "\xF0\x9F\x98", U"\uFFFD\uFFFD\uFFFD"},
      {"a slash in two bytes", "\xC0\xAF", U"\uFFFD\uFFFD"},
      {"a slash in three bytes", "\xE0\x80\xAF", U"\uFFFD\uFFFD\uFFFD"},
      {"a surrogate", "\xED\xA0\x80", U"\uFFFD\uFFFD\uFFFD"},
      {"beyond the last code", "\xF4\x90\x80\x80", U"\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"no lead at all", "\xFF\xFE", U"\uFFFD\uFFFD"},
      {"a good character behind a broken one", "\xC3\xC3\xA9", U"\uFFFD\u00E9"},
  };
  for (const Broken& test : cases) {
    EXPECT_FALSE(IsValidUtf8(test.bytes)) << test.name;
    EXPECT_EQ(DecodeUtf8(test.bytes), test.codes) << test.name;
  }
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(DecodeUtf8("").empty());
  EXPECT_TRUE(IsValidUtf8(std::string_view("\0", 1)));
}

// str.isspace() of Python, less U+001C..U+001F, which are not White_Space.
TEST(UnicodeTest, WhiteSpaceIsTheProperty) {
  const std::u32string expected =
      U"\u0009\u000A\u000B\u000C\u000D\u0020\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
      U"\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000";
  std::u32string found;
  for (char32_t code = 0; code <= kLastCode; ++code) {
    if (IsWhiteSpace(code)) found += code;
  }
  EXPECT_EQ(found, expected);
}

struct Nfc {
  std::u32string text;
  std::u32string composed;
};

TEST(NfcTest, ComposesAsUnicodedata) {
  const std::vector<Nfc> cases{
      {U"e\u0301", U"\u00E9"},
      {U"A\u030A", U"\u00C5"},
      {U"\u212B", U"\u00C5"},  // the sign becomes the letter
      {U"\u2126", U"\u03A9"},
      {U"\u1E9B\u0323", U"\u1E9B\u0323"},    // no letter with both marks
      {U"q\u0307\u0323", U"q\u0323\u0307"},  // marks by their classes
      {U"\u0344", U"\u0308\u0301"},          // excluded from composition
      {U"\u0958", U"\u0915\u093C"},
      {U"\u0915\u093C", U"\u0915\u093C"},
      {U"a\u0315\u0300\u05AE\u0062", U"\u00E0\u05AE\u0315b"},
      {U"A\u0327\u030A", U"\u00C5\u0327"},  // a mark of another class does not block
      {U"a\u0301\u0301", U"\u00E1\u0301"},  // one of the same does
      {U"\u0301a", U"\u0301a"},             // a mark without a letter
      {U"\u0B47\u0300\u0B3E", U"\u0B47\u0300\u0B3E"},
      {U"\u1FEE", U"\u0385"},
      {U"\U0001D15E", U"\U0001D157\U0001D165"},
      {U"\uF900", U"\u8C48"},
      {U"\uFB01", U"\uFB01"},        // compatibility forms stay
      {U"\u1100\u1161", U"\uAC00"},  // Hangul is arithmetic
      {U"\u1100\u1161\u11A8", U"\uAC01"},
      {U"\uAC00\u11A8", U"\uAC01"},
      {U"\u1111\u1171\u11B6", U"\uD4DB"},
      {U"\u1100\u0300\u1161", U"\u1100\u0300\u1161"},
  };
  for (const Nfc& test : cases) {
    EXPECT_EQ(ToNfc(test.text), test.composed) << EncodeUtf8(test.text);
    EXPECT_EQ(ToNfc(test.composed), test.composed) << "not idempotent";
  }
  EXPECT_TRUE(ToNfc(U"").empty());
}

// Every code by itself: 1120 change, and all of their forms are those of unicodedata. Checksum over
// the UTF-8 of those that change, in order:
//   for c in codes: t = unicodedata.normalize("NFC", chr(c)); if t != chr(c): fnv1a(t.encode())
TEST(NfcTest, EveryCodeHasItsForm) {
  Checksum checksum;
  int num_changed = 0;
  for (char32_t code = 0; code <= kLastCode; ++code) {
    if (IsSurrogate(code)) continue;
    const std::u32string text(1, code), composed = ToNfc(text);
    if (composed == text) continue;
    ++num_changed;
    checksum.Add(EncodeUtf8(composed));
  }
  EXPECT_EQ(num_changed, 1120);
  EXPECT_EQ(checksum.value(), 0x4603001247D9362BU);
}

// The same for U+0020..U+33FF, each followed by each of nine marks.
TEST(NfcTest, EveryPairWithAMarkHasItsForm) {
  Checksum checksum;
  int num_changed = 0;
  for (char32_t code = 0x20; code < 0x3400; ++code) {
    for (const char32_t mark : {0x300, 0x301, 0x323, 0x327, 0x338, 0x345, 0x3099, 0x9BC, 0x11A8}) {
      const std::u32string text{code, mark}, composed = ToNfc(text);
      if (composed == text) continue;
      ++num_changed;
      checksum.Add(EncodeUtf8(composed));
    }
  }
  EXPECT_EQ(num_changed, 4294);
  EXPECT_EQ(checksum.value(), 0xB106EF0D02B57E45U);
}

// NFKC of unicodedata for U+FF01..U+FFEF; other compatibility characters stay.
TEST(UnicodeTest, FormsGetTheirUsualWidth) {
  EXPECT_EQ(UsualWidth(U"\uFF21\uFF22\uFF01\uFF5E"), U"AB!~");
  EXPECT_EQ(UsualWidth(U"\uFF71\uFF9E\uFF61"), U"\u30A2\u3099\u3002");
  EXPECT_EQ(UsualWidth(U"\uFFA1\uFFC2"), U"\u1100\u1161");
  EXPECT_EQ(UsualWidth(U"\uFFE0\uFFE6\uFFE8\uFFEE"), U"\u00A2\u20A9\u2502\u25CB");
  EXPECT_EQ(UsualWidth(U"\uFFE3"), U" \u0304");
  EXPECT_EQ(UsualWidth(U"a\u3000b"), U"a b");
  const std::u32string others = U"\uFF00\uFFBF\uFFEF\uFB01\u00B2x\U0001F600";
  EXPECT_EQ(UsualWidth(others), others);
}

struct Grapheme {
  std::string name;
  std::u32string text;
  size_t length;  // of the first cluster
};

TEST(UnicodeTest, GraphemeClustersFollowTheRules) {
  const std::vector<Grapheme> cases{
      {"letter", U"ab", 1},
      {"GB3: line end", U"\r\na", 2},
      {"GB4: after a control", U"\r\u0301", 1},
      {"GB4: after a control", U"\n\u0301", 1},
      {"GB5: before a control", U"a\n", 1},
      {"GB9: marks", U"e\u0301\u0323x", 3},
      {"GB9: joiner", U"a\u200Db", 2},
      {"GB9a: spacing mark", U"\u0915\u093Fx", 2},
      {"GB9b: prepended", U"\u0600a", 2},
      {"GB9b: not before a control", U"\u0600\n", 1},
      {"GB11: family", U"\U0001F469\u200D\U0001F469\u200D\U0001F467x", 5},
      {"GB11: with skin", U"\U0001F469\U0001F3FD\u200D\U0001F52Cx", 4},
      {"GB11: no joiner", U"\U0001F469\U0001F467", 1},
      {"GB11: letter before the joiner", U"a\u200D\U0001F467", 2},
  };
  for (const Grapheme& test : cases)
    EXPECT_EQ(GraphemeLength(test.text, 0), test.length) << test.name;
  EXPECT_EQ(GraphemeLength(U"xe\u0301", 1), 2U);
}

TEST(Base64, DecodesEveryPadding) {
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_EQ(DecodeBase64("TWFu"), "Man");  // RFC 4648 10 has "f" to "foobar"
  EXPECT_EQ(DecodeBase64("Zg=="), "f");
  EXPECT_EQ(DecodeBase64("Zm8="), "fo");
  EXPECT_EQ(DecodeBase64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(DecodeBase64("+/+/"), "\xFB\xFF\xBF");
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Z", "Zg", "Zg=", "Z===", "====", "Zm 9", "Zg==Zg==", "Z\nAA", "Zm9_"}) {
    EXPECT_FALSE(DecodeBase64(text)) << text;
  }
}

}  // namespace
}  // namespace aim
