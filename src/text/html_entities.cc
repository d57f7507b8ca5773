#include "text/html_entities.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>

#include "text/unicode.h"

namespace aim {
namespace {

#include "text/html_entities.inc"

using EntityMap = std::unordered_map<std::string, std::u32string>;

struct Entities {
  EntityMap named;     // "amp", "amp;"
  EntityMap capitals;  // "NTILDE;", for the cautious form only

  Entities() {
    std::string_view rest = kHtmlEntities;
    while (!rest.empty()) {
      const std::string_view entry = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
      const size_t equals = entry.find('=');
      const bool is_capital = entry[0] == '^';
      const std::string name(entry.substr(is_capital ? 1 : 0, equals - (is_capital ? 1 : 0)));
      (is_capital ? capitals : named)[name] = Codes(entry.substr(equals + 1));
    }
  }

  static std::u32string Codes(std::string_view text) {
    std::u32string codes;
    while (!text.empty()) {
      const std::string_view number = text.substr(0, text.find(','));
      uint32_t code = 0;
      std::from_chars(number.data(), number.data() + number.size(), code, 16);
      codes += static_cast<char32_t>(code);
      text.remove_prefix(std::min(text.size(), number.size() + 1));
    }
    return codes;
  }
};

const Entities& AllEntities() {
  static const Entities entities;
  return entities;
}

// Windows-1252 of the bytes from 0x80 on; five have no character and stay.
constexpr std::array<char32_t, 32> kWindows = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

std::u32string NumericCharacter(char32_t code) {
  if (code == 0 || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) return U"\uFFFD";
  if (code >= 0x80 && code < 0xA0) return {WindowsCharacter(code)};
  const bool is_control =
      (code < 0x20 && code != '\t' && code != '\n' && code != '\f' && code != '\r') || code == 0x7F;
  const bool is_nothing = (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code < 0xFDF0);
  if (is_control || is_nothing) return {};
  return {code};
}

bool IsDigit(char32_t c, int base) {
  return (c >= '0' && c <= '9') ||
         (base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

struct Reference {
  size_t length;  // characters read, the '&' included
  std::u32string value;
};

// "&#8230;", "&#x2026": `begin` is that of the '&'.
std::optional<Reference> ReadNumeric(std::u32string_view text, size_t begin) {
  size_t end = begin + 2;
  const bool is_hex = end < text.size() && (text[end] == 'x' || text[end] == 'X');
  if (is_hex) ++end;
  const size_t first_digit = end;
  char32_t code = 0;
  for (; end < text.size() && IsDigit(text[end], is_hex ? 16 : 10); ++end) {
    const char32_t c = text[end];
    const char32_t digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    code = std::min<char32_t>(code * (is_hex ? 16 : 10) + digit, 0x110000);
  }
  if (end == first_digit) return std::nullopt;
  const bool is_closed = end < text.size() && text[end] == ';';
  return Reference{end - begin + (is_closed ? 1 : 0), NumericCharacter(code)};
}

// Up to 32 characters that may be a name, and the ';' behind them. As UTF-8.
std::string ReadName(std::u32string_view text, size_t begin) {
  std::string name;
  size_t end = begin + 1;
  const std::u32string_view stops = U"\t\n\f <&#;";
  for (; end < text.size() && end - begin <= 32; ++end) {
    if (stops.find(text[end]) != stops.npos) break;
    AppendUtf8(name, text[end]);
  }
  if (!name.empty() && end < text.size() && text[end] == ';') name += ';';
  return name;
}

// The longest name that `name` begins with, as HTML defines it for a missing ';'.
std::optional<Reference> FindNamed(const std::string& name) {
  const EntityMap& named = AllEntities().named;
  for (size_t length = name.size(); length > 1; --length) {
    const auto found = named.find(name.substr(0, length));
    if (found != named.end()) return Reference{length + 1, found->second};
  }
  return std::nullopt;
}

bool IsNumericStart(std::u32string_view text, size_t begin) {
  return begin + 1 < text.size() && text[begin + 1] == '#';
}

// ftfy's &#?[0-9A-Za-z]{1,24}; and what it makes of it.
std::optional<Reference> FindStrict(std::u32string_view text, size_t begin) {
  size_t end = begin + (IsNumericStart(text, begin) ? 2 : 1);
  const size_t first = end;
  std::string name;
  for (; end < text.size() && text[end] < 0x80 && end - first < 24; ++end) {
    const auto c = static_cast<char>(text[end]);
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_word) break;
    name += c;
  }
  if (name.empty() || end == text.size() || text[end] != ';') return std::nullopt;
  const size_t length = end + 1 - begin;
  if (IsNumericStart(text, begin)) {
    const std::optional<Reference> numeric = ReadNumeric(text, begin);
    if (!numeric || numeric->length != length) return std::nullopt;
    if (numeric->value == U";") return std::nullopt;  // could close what stands before it
    return numeric;
  }
  name += ';';
  for (const EntityMap* map : {&AllEntities().named, &AllEntities().capitals}) {
    const auto found = map->find(name);
    if (found != map->end()) return Reference{length, found->second};
  }
  return std::nullopt;
}

template <class Find>
std::u32string Replace(std::u32string_view text, Find&& find) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const std::optional<Reference> found = text[i] == '&' ? find(i) : std::nullopt;
    if (found) {
      out += found->value;
      i += found->length;
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace

char32_t WindowsCharacter(char32_t control) { return kWindows[control - 0x80]; }

std::u32string UnescapeHtml(std::u32string_view text) {
  return Replace(text, [&](size_t begin) {
    return IsNumericStart(text, begin) ? ReadNumeric(text, begin)
                                       : FindNamed(ReadName(text, begin));
  });
}

std::u32string UnescapeHtmlStrictly(std::u32string_view text) {
  return Replace(text, [&](size_t begin) { return FindStrict(text, begin); });
}

}  // namespace aim
