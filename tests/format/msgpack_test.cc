#include "aim/format/msgpack.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/case_name.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

MsgpackValue Parse(const std::string& bytes) { return ParseMsgpack(bytes, "message"); }

// msgpack 1.2.4 for Python: packb(value, use_bin_type=True) of the value in `name`.
struct Golden {
  std::string name;
  MsgpackValue value;
  std::string bytes;
};

std::vector<Golden> Goldens() {
  const std::string long_text(300, 'a');
  return {
      {"nil", {}, Bytes({0xc0})},
      {"true", true, Bytes({0xc3})},
      {"zero", 0, Bytes({0x00})},
      {"int127", 127, Bytes({0x7f})},
      {"int128", 128, Bytes({0xcc, 0x80})},
      {"int256", 256, Bytes({0xcd, 0x01, 0x00})},
      {"int65536", 65536, Bytes({0xce, 0, 1, 0, 0})},
      {"int2to32", int64_t{1} << 32, Bytes({0xcf, 0, 0, 0, 1, 0, 0, 0, 0})},
      {"uint2to64less1", UINT64_MAX, Bytes({0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})},
      {"minus1", -1, Bytes({0xff})},
      {"minus32", -32, Bytes({0xe0})},
      {"minus33", -33, Bytes({0xd0, 0xdf})},
      {"minus129", -129, Bytes({0xd1, 0xff, 0x7f})},
      {"minus32769", -32769, Bytes({0xd2, 0xff, 0xff, 0x7f, 0xff})},
      {"int64min", INT64_MIN, Bytes({0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0})},
      {"half", 0.5, Bytes({0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0})},
      {"text", "prompt", Bytes({0xa6}) + "prompt"},
      {"text300", long_text, Bytes({0xda, 0x01, 0x2c}) + long_text},
      {"bin", MsgpackBin{"abc"}, Bytes({0xc4, 3}) + "abc"},
      {"list", MsgpackValue::List{1, "a", MsgpackValue()}, Bytes({0x93, 1, 0xa1, 'a', 0xc0})},
      {"list16", MsgpackValue::List(16, 0), Bytes({0xdc, 0, 16}) + std::string(16, '\0')},
      {"map", MsgpackValue::Map{{"a", 1}, {"b", MsgpackBin{"x"}, true}},
       Bytes({0x82, 0xa1, 'a', 1, 0xc4, 1, 'b', 0xc4, 1, 'x'})},
  };
}

class MsgpackGoldenTest : public ::testing::TestWithParam<Golden> {};

TEST_P(MsgpackGoldenTest, IsWrittenAndReadAsPythonDoes) {
  EXPECT_EQ(ToMsgpack(GetParam().value), GetParam().bytes);
  EXPECT_EQ(ToMsgpack(Parse(GetParam().bytes)), GetParam().bytes);
}

// Every message cut at every byte is refused, and so is one that goes on.
TEST_P(MsgpackGoldenTest, CutShortOrGoingOnIsRefused) {
  const std::string& bytes = GetParam().bytes;
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(Parse(bytes.substr(0, size)), FormatError) << size;
  }
  ExpectThrowsWith<FormatError>([&] { Parse(bytes + Bytes({0xc0})); },
                                {"message is at byte", "one value a message"});
}

INSTANTIATE_TEST_SUITE_P(Values, MsgpackGoldenTest, ::testing::ValuesIn(Goldens()),
                         testing::CaseName());

TEST(MsgpackTest, ReadsFormsThatAreNotTheShortest) {
  EXPECT_EQ(*Parse(Bytes({0xd3, 0, 0, 0, 0, 0, 0, 0, 7})).As<int64_t>(), 7);
  EXPECT_EQ(*Parse(Bytes({0xcf, 0, 0, 0, 0, 0, 0, 0, 7})).As<int64_t>(), 7);
  EXPECT_EQ(*Parse(Bytes({0xca, 0x3f, 0, 0, 0})).As<double>(), 0.5);
  EXPECT_EQ(*Parse(Bytes({0xdb, 0, 0, 0, 1, 'a'})).As<std::string>(), "a");
  EXPECT_EQ(Parse(Bytes({0xdd, 0, 0, 0, 1, 7})).As<MsgpackValue::List>()->size(), 1u);
  EXPECT_TRUE(std::isnan(*Parse(Bytes({0xca, 0x7f, 0xc0, 0, 0})).As<double>()));
}

TEST(MsgpackTest, FindsKeysOfTextAndBytes) {
  const MsgpackValue map = MsgpackValue::Map{{"a", 1}, {"b", 2, true}};
  EXPECT_EQ(*Find(map, "a")->As<int64_t>(), 1);
  EXPECT_EQ(*Find(map, "b")->As<int64_t>(), 2);
  EXPECT_EQ(Find(map, "c"), nullptr);
  EXPECT_EQ(Find(MsgpackValue(7), "a"), nullptr);
}

struct BadMessage {
  std::string name;
  std::string bytes;
  std::string words;
};

class BadMsgpackTest : public ::testing::TestWithParam<BadMessage> {};

TEST_P(BadMsgpackTest, IsRefusedInWords) {
  ExpectThrowsWith<FormatError>([] { Parse(GetParam().bytes); }, {"message", GetParam().words});
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadMsgpackTest,
    ::testing::Values(
        BadMessage{"gigabyte_of_bin", Bytes({0xc6, 0x40, 0, 0, 0, 1, 2}), "1073741824 more bytes"},
        BadMessage{"gigabyte_of_text", Bytes({0xdb, 0x40, 0, 0, 0, 'a'}), "1073741824 more bytes"},
        BadMessage{"billion_items", Bytes({0xdd, 0x40, 0, 0, 0, 1}), "1073741824 more items"},
        BadMessage{"billion_entries", Bytes({0xdf, 0x40, 0, 0, 0, 1}), "1073741824 more items"},
        BadMessage{"extension", Bytes({0xd4, 1, 1}), "no extension types"},
        BadMessage{"never_used", Bytes({0xc1}), "no extension types"},
        BadMessage{"number_as_key", Bytes({0x81, 7, 1}), "behind a key that is 7"},
        BadMessage{"key_twice", Bytes({0x82, 0xa1, 'a', 1, 0xa1, 'a', 2}), "\"a\" twice"},
        BadMessage{"key_twice_once_as_bytes", Bytes({0x82, 0xa1, 'a', 1, 0xc4, 1, 'a', 2}),
                   "\"a\" twice"},
        BadMessage{"no_utf8", Bytes({0xa1, 0xff}), "no UTF-8"},
        BadMessage{"deep", std::string(1000, '\x91') + Bytes({0xc0}), "nested too deep"},
        BadMessage{"many", Bytes({0xdd, 0, 2, 0, 0}) + std::string(131072, '\xc0'),
                   "at most 100000"}),
    testing::CaseName());

TEST(MsgpackTest, DepthUpToTheLimitIsRead) {
  const std::string deep = std::string(16, '\x91') + Bytes({0xc0});
  EXPECT_EQ(ToMsgpack(Parse(deep)), deep);
  EXPECT_THROW(Parse('\x91' + deep), FormatError);
  EXPECT_THROW(ParseMsgpack(deep, "message", {.max_depth = 15}), FormatError);
}

// What is read is written again and read as the same; what is not read is refused with its kind of
// error alone.
TEST(MsgpackTest, RandomBytesAreReadOrRefused) {
  Rng rng(3);
  int num_read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes;
    const int64_t size = 1 + rng.UniformInt(12);
    for (int64_t k = 0; k < size; ++k) bytes += static_cast<char>(rng.UniformInt(256));
    try {
      const std::string again = ToMsgpack(Parse(bytes));
      EXPECT_EQ(ToMsgpack(Parse(again)), again);
      ++num_read;
    } catch (const FormatError&) {
    }
  }
  EXPECT_GT(num_read, 500);
}

}  // namespace
}  // namespace aim
