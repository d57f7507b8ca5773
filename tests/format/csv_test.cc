#include "aim/format/csv.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "aim/base/error.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::testing::ElementsAre;

TEST(CsvTest, QuotedCellsComeBack) {
  const std::vector<std::string> cells = {"plain", "", "a,b", "say \"hi\"", "\"", "\"\"", " x "};
  std::string line;
  for (const std::string& cell : cells) line += (line.empty() ? "" : ",") + QuotedCell(cell);
  EXPECT_EQ(SplitCsvLine(line, "test"), cells);
}

TEST(CsvTest, PlainCells) {
  EXPECT_THAT(SplitCsvLine("a,,c", "test"), ElementsAre("a", "", "c"));
  EXPECT_THAT(SplitCsvLine("", "test"), ElementsAre(""));
  EXPECT_THAT(SplitCsvLine("a,", "test"), ElementsAre("a", ""));
  EXPECT_THAT(SplitCsvLine("1,\"2\",3\r", "test"), ElementsAre("1", "2", "3"));
}

TEST(CsvTest, ALineEndInACellBecomesASpace) {
  EXPECT_EQ(QuotedCell("two\nlines"), "\"two lines\"");
}

TEST(CsvTest, QuotesThatDoNotMatchAreNamed) {
  for (const char* line : {"\"open", "\"a\"b,c", "x,\"", "\"a\"\""}) {
    testing::ExpectThrowsWith<FormatError>([&] { SplitCsvLine(line, "t.csv: line 2"); },
                                           {"t.csv: line 2", "quotes do not match"});
  }
}

TEST(CsvTest, LinesOfAText) {
  EXPECT_THAT(SplitLines("a\nb\n"), ElementsAre("a", "b"));
  EXPECT_THAT(SplitLines("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(SplitLines(""), ElementsAre());
}

}  // namespace
}  // namespace aim
