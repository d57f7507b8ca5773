#include "aim/format/csv.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

// Takes the quoted cell that begins at `at` (its opening quote) and moves `at` behind it.
std::string TakeQuoted(std::string_view line, size_t& at, const std::string& where) {
  std::string cell;
  for (++at; at < line.size(); ++at) {
    if (line[at] != '"') {
      cell += line[at];
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      cell += line[++at];
    } else {
      ++at;
      if (at == line.size() || line[at] == ',') return cell;
      break;
    }
  }
  throw FormatError({.where = where,
                     .got = "with a cell " + Excerpt(line) + " whose quotes do not match",
                     .expected = "a cell in quotes to end before a comma",
                     .fix = "double a quote that is part of the text"});
}

}  // namespace

std::string QuotedCell(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c == '\n' || c == '\r' ? ' ' : c;
  }
  return quoted + "\"";
}

std::vector<std::string> SplitCsvLine(std::string_view line, const std::string& where) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::vector<std::string> cells;
  for (size_t at = 0;; ++at) {
    if (at < line.size() && line[at] == '"') {
      cells.push_back(TakeQuoted(line, at, where));
    } else {
      const size_t end = std::min(line.find(',', at), line.size());
      cells.emplace_back(line.substr(at, end - at));
      at = end;
    }
    if (at >= line.size()) return cells;
  }
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace aim
