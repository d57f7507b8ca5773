#include "aim/format/json_reader.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using nlohmann::json;
using testing::ExpectThrowsWith;

const JsonReader& Example() {
  static const JsonReader reader({{"half", 0.5},
                                  {"three", 3},
                                  {"word", "x"},
                                  {"yes", true},
                                  {"none", nullptr},
                                  {"list", {1, 2}},
                                  {"nan", std::numeric_limits<double>::quiet_NaN()}},
                                 "a.json");
  return reader;
}

TEST(JsonReaderTest, ReadsWhatIsThere) {
  EXPECT_EQ(Example().Number("half"), 0.5);
  EXPECT_EQ(Example().Number("three"), 3);
  EXPECT_EQ(Example().Int("three"), 3);
  EXPECT_EQ(Example().Text("word"), "x");
  EXPECT_TRUE(Example().Flag("yes", false));
  EXPECT_EQ(Example().Ints("list", {}), (std::vector<int>{1, 2}));
}

TEST(JsonReaderTest, FallsBackWhereNothingIs) {
  for (const char* key : {"none", "absent"}) {
    EXPECT_FALSE(Example().Has(key));
    EXPECT_EQ(Example().Number(key, 2.5), 2.5);
    EXPECT_EQ(Example().Int(key, 7), 7);
    EXPECT_EQ(Example().Text(key, "y"), "y");
    EXPECT_TRUE(Example().Flag(key, true));
  }
}

TEST(JsonReaderTest, WhatIsWrongIsNamed) {
  ExpectThrowsWith<InputError>([] { Example().Number("absent"); },
                               {"a.json: absent is missing", "a finite number"});
  ExpectThrowsWith<InputError>([] { Example().Number("word"); }, {"a.json: word is \"x\""});
  ExpectThrowsWith<InputError>([] { Example().Number("nan", 1); }, {"a.json: nan is"});
  ExpectThrowsWith<InputError>([] { Example().Int("half"); }, {"half is 0.5", "whole number"});
  ExpectThrowsWith<InputError>([] { Example().Text("list"); }, {"list is a list of 2", "text"});
  ExpectThrowsWith<InputError>([] { Example().Flag("three", true); }, {"true or false"});
  const JsonReader inner({{"fx", "far"}}, "cameras.json: views[1]");
  ExpectThrowsWith<InputError>([&] { inner.Number("fx"); },
                               {"cameras.json: views[1].fx is \"far\""});
  ExpectThrowsWith<FormatError>([] { JsonReader(json::array({1}), "a.json"); },
                                {"a.json is a list of 1", "a JSON object"});
}

TEST(JsonReaderTest, FilesThatAreNoJsonAreNamedWithTheByte) {
  const testing::TemporaryFolder folder;
  ExpectThrowsWith<InputError>([&] { JsonReader::OfFile(folder / "absent.json"); },
                               {"absent.json"});
  WriteFileAtomic(folder / "cut.json", "{\"a\": [1, ");
  ExpectThrowsWith<FormatError>([&] { JsonReader::OfFile(folder / "cut.json"); },
                                {"cut.json is not valid JSON from byte 11"});
  WriteFileAtomic(folder / "large.json", "{\"a\": 1e999}");
  ExpectThrowsWith<FormatError>([&] { JsonReader::OfFile(folder / "large.json"); },
                                {"too large for a double"});
}

// Copying a value recurses: 300 000 brackets would end in the stack.
TEST(ReadJsonFileTest, DeepNestingIsRefused) {
  const testing::TemporaryFolder folder;
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  WriteFileAtomic(folder / "a.json", "{\"a\":" + deep + "}");
  ExpectThrowsWith<FormatError>([&] { ReadJsonFile(folder / "a.json"); },
                                {"a.json is nested deeper than 64 levels"});
}

TEST(ReadJsonFileTest, ByteOrderMarksArePassedOver) {
  const testing::TemporaryFolder folder;
  WriteFileAtomic(folder / "a.json", "\xEF\xBB\xBF{\"a\":1}");
  EXPECT_EQ(ReadJsonFile(folder / "a.json")["a"], 1);
  WriteFileAtomic(folder / "a.json", std::string("\xFE\xFF\0{\0}", 6));
  EXPECT_TRUE(ReadJsonFile(folder / "a.json").empty());
}

}  // namespace
}  // namespace aim
