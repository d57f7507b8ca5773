// Comma-separated values: cells with commas, quotes or line ends stand in double quotes, a quote
// inside is doubled (RFC 4180). A line end inside a cell is written as a space, so that a line is a
// row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aim {

// The cell in quotes, whether it needs them or not.
std::string QuotedCell(std::string_view text);

// The cells of one line, without its line end (a trailing '\r' is dropped). Throws FormatError
// naming `where` if a quote is not closed or stands behind the beginning of a plain cell.
std::vector<std::string> SplitCsvLine(std::string_view line, const std::string& where);

// Lines without their ends; an empty last line is no line.
std::vector<std::string_view> SplitLines(std::string_view text);

}  // namespace aim
