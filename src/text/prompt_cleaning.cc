#include "aim/text/prompt_cleaning.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "text/html_entities.h"
#include "text/unicode.h"

namespace aim {
namespace {

constexpr char32_t kEscape = 0x1B;

const std::map<char32_t, std::u32string>& Ligatures() {
  static const std::map<char32_t, std::u32string> letters = {
      {0x132, U"IJ"},       {0x133, U"ij"},      {0x149, U"\u02BCn"}, {0x1C4, U"D\u017D"},
      {0x1C5, U"D\u017E"},  {0x1C6, U"d\u017E"}, {0x1C7, U"LJ"},      {0x1C8, U"Lj"},
      {0x1C9, U"lj"},       {0x1CA, U"NJ"},      {0x1CB, U"Nj"},      {0x1CC, U"nj"},
      {0x1F1, U"DZ"},       {0x1F2, U"Dz"},      {0x1F3, U"dz"},      {0xFB00, U"ff"},
      {0xFB01, U"fi"},      {0xFB02, U"fl"},     {0xFB03, U"ffi"},    {0xFB04, U"ffl"},
      {0xFB05, U"\u017Ft"}, {0xFB06, U"st"}};
  return letters;
}

std::u32string SplitLigatures(std::u32string_view text) {
  std::u32string out;
  for (const char32_t code : text) {
    const auto found = Ligatures().find(code);
    if (found == Ligatures().end()) {
      out += code;
    } else {
      out += found->second;
    }
  }
  return out;
}

char32_t StraightQuote(char32_t code) {
  if (code == 0x2BC || (code >= 0x2018 && code <= 0x201B)) return U'\'';
  return code >= 0x201C && code <= 0x201F ? U'"' : code;
}

bool IsLineBreak(char32_t code) {
  return code == U'\r' || code == 0x2028 || code == 0x2029 || code == 0x85;
}

std::u32string UnixLineBreaks(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_pair = text[i] == U'\r' && i + 1 < text.size() && text[i + 1] == U'\n';
    if (!is_pair) out += IsLineBreak(text[i]) ? U'\n' : text[i];
  }
  return out;
}

// Characters of the terminal escape "ESC [ 31;1 m" at `begin`; 0 if there is none.
size_t TerminalEscapeLength(std::u32string_view text, size_t begin) {
  if (text[begin] != kEscape || begin + 1 >= text.size() || text[begin + 1] != U'[') return 0;
  size_t end = begin + 2;
  while (end < text.size() && ((text[end] >= U'0' && text[end] <= U'9') || text[end] == U';')) {
    ++end;
  }
  if (end == text.size()) return 0;
  const char32_t lower = text[end] | 0x20;
  return text[end] < 0x80 && lower >= U'a' && lower <= U'z' ? end + 1 - begin : 0;
}

bool IsUnwanted(char32_t code) {
  return code <= 0x08 || code == 0x0B || (code >= 0x0E && code <= 0x1F) || code == 0x7F ||
         (code >= 0x206A && code <= 0x206F) || code == 0xFEFF || (code >= 0xFFF9 && code <= 0xFFFC);
}

std::u32string WithoutControls(std::u32string_view text) {
  std::u32string visible;
  for (size_t i = 0; i < text.size();) {
    const size_t escape = TerminalEscapeLength(text, i);
    if (escape == 0) visible += text[i];
    i += std::max<size_t>(escape, 1);
  }
  std::erase_if(visible, IsUnwanted);
  return visible;
}

// ftfy's steps in their order, until nothing changes: an entity may hide a quote, for example.
std::u32string FixLine(std::u32string line, bool unescape) {
  while (true) {
    std::u32string fixed = unescape ? UnescapeHtmlStrictly(line) : line;
    for (char32_t& code : fixed) {
      if (code >= 0x80 && code < 0xA0) code = WindowsCharacter(code);
    }
    fixed = UsualWidth(SplitLigatures(fixed));
    for (char32_t& code : fixed) code = StraightQuote(code);
    fixed = ToNfc(WithoutControls(UnixLineBreaks(fixed)));
    if (fixed == line) return line;
    line = std::move(fixed);
  }
}

std::u32string FixLines(std::u32string_view text) {
  std::u32string fixed;
  bool unescape = true;  // until a line looks like HTML, which then keeps its references
  while (!text.empty()) {
    const size_t line_end = text.find(U'\n');
    const std::u32string_view line =
        text.substr(0, line_end == text.npos ? text.size() : line_end + 1);
    unescape = unescape && line.find(U'<') == line.npos;
    fixed += FixLine(std::u32string(line), unescape);
    text.remove_prefix(line.size());
  }
  return fixed;
}

std::u32string CollapseWhiteSpace(std::u32string_view text) {
  std::u32string out;
  for (const char32_t code : text) {
    if (!IsWhiteSpace(code)) {
      out += code;
    } else if (!out.empty() && out.back() != U' ') {
      out += U' ';
    }
  }
  if (!out.empty() && out.back() == U' ') out.pop_back();
  return out;
}

}  // namespace

std::string CleanPromptText(const std::string& text) {
  const std::u32string fixed = FixLines(DecodeUtf8(text));
  return EncodeUtf8(CollapseWhiteSpace(UnescapeHtml(UnescapeHtml(fixed))));
}

}  // namespace aim
