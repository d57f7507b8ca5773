#include "data/parquet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

// Rows [first, first + count) of a table with a column of every kind.
std::vector<ParquetColumn> Rows(int64_t first, int64_t count) {
  std::vector<int64_t> numbers;
  std::vector<float> pairs;
  std::vector<double> times;
  std::vector<bool> flags;
  std::vector<std::string> texts;
  ParquetColumn words{.name = "words", .values = {}, .is_list = true, .row_ends = {}};
  std::vector<std::string> all_words;
  for (int64_t row = first; row < first + count; ++row) {
    numbers.push_back(row - 1);
    pairs.push_back(static_cast<float>(row) / 2);
    pairs.push_back(-static_cast<float>(row));
    times.push_back(1.0 / static_cast<double>(row + 3));
    flags.push_back(row % 3 == 0);
    texts.push_back("text " + std::to_string(row));
    for (int64_t word = 0; word < row % 3; ++word) all_words.push_back("w" + std::to_string(row));
    words.row_ends.push_back(static_cast<int64_t>(all_words.size()));
  }
  words.values = all_words;
  return {{.name = "number", .values = numbers, .row_ends = {}},
          ListColumn("pair.with a dot", pairs, 2),
          {.name = "time", .values = times, .row_ends = {}},
          {.name = "flag", .values = flags, .row_ends = {}},
          {.name = "text", .values = texts, .row_ends = {}},
          words};
}

// Three groups of 4 rows.
void WriteTwelveRows(const fs::path& path) {
  ParquetWriter writer(path, Rows(0, 4), {{"pandas", "{}"}});
  for (int64_t first = 0; first < 12; first += 4) writer.Append(Rows(first, 4));
  EXPECT_GT(writer.size_bytes(), 100);
  writer.Finish();
}

class ParquetTest : public ::testing::Test {
 protected:
  ParquetTest() { WriteTwelveRows(path_); }

  TemporaryFolder folder_;
  fs::path path_ = folder_ / "a folder/rows.parquet";
};

TEST_F(ParquetTest, EveryKindOfColumnComesBackBitForBit) {
  const ParquetFile file(path_);
  EXPECT_EQ(file.num_rows(), 12);
  EXPECT_THAT(file.columns(),
              ElementsAre("number", "pair.with a dot", "time", "flag", "text", "words"));
  const ParquetTable table = file.Read(file.columns());
  const std::vector<ParquetColumn> expected = Rows(0, 12);
  ASSERT_EQ(table.columns().size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(table.columns()[i].name, expected[i].name);
    EXPECT_TRUE(table.columns()[i].values == expected[i].values) << expected[i].name;
    EXPECT_TRUE(table.columns()[i].row_ends == expected[i].row_ends) << expected[i].name;
  }
}

// Ranges begin and end inside of groups, at their ends, and over several.
TEST_F(ParquetTest, ARangeIsTheCutOfTheWhole) {
  const ParquetFile file(path_);
  for (int64_t begin = 0; begin <= 12; ++begin) {
    for (int64_t end = begin; end <= 12; ++end) {
      const ParquetTable part = file.Read({"words", "number"}, begin, end);
      const std::vector<ParquetColumn> expected = Rows(begin, end - begin);
      EXPECT_TRUE(part.Ints("number") == std::get<std::vector<int64_t>>(expected[0].values));
      const auto words = part.TextLists("words");
      ASSERT_EQ(words.size(), static_cast<size_t>(end - begin));
      for (size_t row = 0; row < words.size(); ++row) {
        EXPECT_EQ(words[row].size(), (static_cast<size_t>(begin) + row) % 3);
      }
    }
  }
}

TEST_F(ParquetTest, NumbersAreReadOutOfEveryTypeOfThem) {
  const ParquetTable table = ParquetFile(path_).Read({"number", "pair.with a dot", "flag"}, 2, 4);
  EXPECT_THAT(table.Numbers("number"), ElementsAre(1, 2));
  EXPECT_THAT(table.Numbers("pair.with a dot", 2), ElementsAre(1, -2, 1.5, -3));
  EXPECT_THAT(table.Numbers("flag"), ElementsAre(0, 1));
}

TEST_F(ParquetTest, WhatIsAskedForInVainIsNamed) {
  const ParquetFile file(path_);
  const auto read = [&](const std::string& name) { return file.Read({name}); };
  ExpectThrowsWith<InputError>([&] { read("pair"); }, {"rows.parquet: pair is missing"});
  const ParquetTable table = file.Read(file.columns());
  ExpectThrowsWith<InputError>([&] { table.Ints("time"); }, {"rows.parquet: time", "whole number"});
  ExpectThrowsWith<InputError>([&] { table.Texts("words"); }, {"words", "no text a row"});
  ExpectThrowsWith<InputError>([&] { table.TextLists("text"); }, {"text", "no list of texts"});
  ExpectThrowsWith<InputError>([&] { table.Numbers("text"); }, {"text is texts"});
  ExpectThrowsWith<InputError>([&] { table.Numbers("pair.with a dot", 3); },
                               {"2 numbers in a row", "3 in each"});
  ExpectThrowsWith<InputError>([&] { table.Numbers("time", 2); }, {"one number a row"});
  ExpectThrowsWith<InputError>([&] { ParquetFile(folder_ / "none"); }, {"none is missing"});
  ExpectThrowsWith<InputError>([&] { ParquetFile(folder_.path()); }, {"not a file"});
}

TEST_F(ParquetTest, NumbersThatAreNoneAreRefused) {
  std::vector<ParquetColumn> columns = {
      ListColumn("pose", std::vector<float>{0, 1, 2, std::numeric_limits<float>::quiet_NaN()}, 2)};
  ParquetWriter writer(path_, columns);
  writer.Append(columns);
  writer.Finish();
  const ParquetTable table = ParquetFile(path_).Read({"pose"});
  ExpectThrowsWith<InputError>([&] { table.Numbers("pose", 2); },
                               {"pose is not a finite number in row 1"});
}

// Lists of lists are written for others; here they are of a type that is not read.
TEST_F(ParquetTest, NestedListsAreWritten) {
  std::vector<ParquetColumn> columns = {ListColumn("mean", std::vector<double>{1, 2, 3}, 3)};
  columns[0].nesting = 2;
  ParquetWriter writer(path_, columns);
  writer.Append(columns);
  writer.Finish();
  ExpectThrowsWith<InputError>([&] { ParquetFile(path_).Read({"mean"}); },
                               {"mean is of the type", "list<element: list<"});
}

void ReadAll(const fs::path& path) {
  const ParquetFile file(path);
  file.Read(file.columns());
}

TEST_F(ParquetTest, ATruncatedFileIsRefused) {
  const std::string bytes = ReadFile(path_);
  for (size_t length = 0; length < bytes.size(); length += 7) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes.substr(0, length);
    ExpectThrowsWith<FormatError>([&] { ReadAll(path_); }, {"rows.parquet"});
  }
}

// Read or refused, never anything else; what holds values is guarded by checksums. Every fifth
// byte: all of them take a quarter of a minute.
TEST_F(ParquetTest, AFlippedBitIsReadOrRefused) {
  const std::string bytes = ReadFile(path_);
  size_t num_refused = 0;
  size_t num_flips = 0;
  for (size_t at = 0; at < bytes.size(); at += 5, ++num_flips) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << flipped;
    try {
      ReadAll(path_);
    } catch (const InputError&) {
      ++num_refused;
    }
  }
  EXPECT_GT(num_refused, num_flips / 3);
}

TEST(ParquetWriterTest, AFullDiskIsAnIoError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  ExpectThrowsWith<IoError>(
      [] {
        ParquetWriter writer("/dev/full", Rows(0, 4));
        writer.Append(Rows(0, 4));
        writer.Finish();
      },
      {"/dev/full", "not written"});
}

}  // namespace
}  // namespace aim
