#include <algorithm>
#include <cmath>
#include <sstream>
#include <string_view>

#include "aim/base/atomic_file.h"
#include "aim/base/options.h"
#include "aim/base/utf8.h"

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace aim {
namespace {

nlohmann::json ToJson(const toml::node& node) {
  if (const toml::table* table = node.as_table()) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = ToJson(value);
    return object;
  }
  if (const toml::array* list = node.as_array()) {
    nlohmann::json array = nlohmann::json::array();
    for (const toml::node& value : *list) array.push_back(ToJson(value));
    return array;
  }
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_boolean()) return value->get();
  std::ostringstream date;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_date<decltype(value)> || toml::is_time<decltype(value)> ||
                  toml::is_date_time<decltype(value)>) {
      date << value.get();
    }
  });
  return date.str();
}

// The place behind the string that begins at `at`: of one line, or of several in three quotes.
size_t EndOfString(std::string_view text, size_t at) {
  const char quote = text[at];
  const bool is_long = text.substr(at, 3) == std::string(3, quote);
  const size_t width = is_long ? 3 : 1;
  for (size_t i = at + width; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text.substr(i, width) == std::string(width, quote)) {
      // One or two quotes may stand before the three that end it.
      while (is_long && text.substr(i + 1, width) == std::string(width, quote)) ++i;
      return i + width;
    } else if (text[i] == '\n' && !is_long) {
      return i;
    }
  }
  return text.size();
}

// Whether a quote at `at` begins a string: in the middle of a word it does not.
bool BeginsString(std::string_view text, size_t at) {
  if (text[at] != '"' && text[at] != '\'') return false;
  return at == 0 || std::string_view(" \t\r\n=,[{.").find(text[at - 1]) != std::string_view::npos;
}

// Calls visit(i) for the place of every character that is in no string and no comment until it
// returns false.
template <class Visit>
void VisitSyntax(std::string_view text, Visit&& visit) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (BeginsString(text, i)) {
      i = EndOfString(text, i) - 1;
    } else if (text[i] == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (!visit(i)) {
      return;
    }
  }
}

// Tables in one another become one object in another: that recurses, in the parser too. Whether
// brackets, or the parts of a dotted key, are more than kMaxDepth.
bool IsTooDeep(std::string_view text) {
  constexpr size_t kMaxDepth = 16;
  size_t depth = 0;
  size_t dots = 0;
  VisitSyntax(text, [&](size_t i) {
    const char c = text[i];
    if (c == '.') ++dots;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (std::string_view("=,[]{}\n").find(c) != std::string_view::npos) dots = 0;
    return dots <= kMaxDepth && depth <= kMaxDepth;
  });
  return dots > kMaxDepth || depth > kMaxDepth;
}

struct Oddity {
  int64_t line = 0;  // 0: none
  const char* what = "";
};

// TOML's own characters and bare keys are ASCII; toml++ runs into undefined behaviour on some
// others, wherever it takes them for a part of a word.
Oddity FirstOddity(std::string_view text) {
  Oddity odd;
  VisitSyntax(text, [&](size_t i) {
    const bool is_quote = text[i] == '"' || text[i] == '\'';
    if (static_cast<unsigned char>(text[i]) < 0x80 && !is_quote) return true;
    odd.line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i), '\n');
    odd.what = is_quote ? "a quote in the middle of a word"
                        : "a character outside quotes that is not ASCII";
    return false;
  });
  return odd;
}

}  // namespace

nlohmann::json ReadToml(const std::filesystem::path& path) {
  const std::string text = WithoutByteOrderMark(ReadFile(path));
  if (IsTooDeep(text)) {
    throw FormatError({path.string(), "nested deeper than 16 levels", "a TOML file of a few", ""});
  }
  if (const Oddity odd = FirstOddity(text); odd.line > 0) {
    throw FormatError({path.string() + ", line " + std::to_string(odd.line),
                       std::string("not valid TOML (") + odd.what + ")", "a TOML file",
                       "put the whole key or text in quotes"});
  }
  try {
    return ToJson(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw FormatError({path.string() + ", line " + std::to_string(error.source().begin.line),
                       "not valid TOML (" + std::string(error.description()) + ")", "a TOML file",
                       ""});
  }
}

}  // namespace aim
