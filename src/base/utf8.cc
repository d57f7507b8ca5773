#include "aim/base/utf8.h"

#include <algorithm>
#include <array>

namespace aim {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kMaxCode = 0x10FFFF;
constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";
constexpr std::string_view kLittleMark = "\xFF\xFE";
constexpr std::string_view kBigMark = "\xFE\xFF";

// Bytes of the valid UTF-8 character at `begin`, 0 if there is none; `code` is its number.
size_t ReadUtf8(std::string_view text, size_t begin, char32_t& code) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(begin);
  const size_t length = Utf8Length(text[begin]);
  if (lead >= 0x80 && lead < 0xC2) return 0;
  if (lead > 0xF4 || begin + length > text.size()) return 0;
  code = length == 1 ? lead : lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(begin + i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(begin + i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  return code < kSmallest[length] || code > kMaxCode || is_surrogate ? 0 : length;
}

bool IsSurrogate(char32_t unit) { return unit >= 0xD800 && unit < 0xE000; }

// UTF-16 without its mark; halves of pairs that stand alone, and an odd last byte, become U+FFFD.
std::string FromUtf16(std::string_view bytes, bool is_big) {
  const auto unit = [&](size_t i) {
    const auto first = static_cast<unsigned char>(bytes[i]);
    const auto second = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<char32_t>(is_big ? first << 8 | second : second << 8 | first);
  };
  std::string out;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    const char32_t code = unit(i);
    const char32_t next = i + 3 < bytes.size() ? unit(i + 2) : 0;
    if (code >= 0xD800 && code < 0xDC00 && next >= 0xDC00 && next < 0xE000) {
      AppendUtf8(out, 0x10000 + ((code - 0xD800) << 10) + (next - 0xDC00));
      i += 2;
    } else {
      AppendUtf8(out, IsSurrogate(code) ? kReplacement : code);
    }
  }
  if (bytes.size() % 2 != 0) AppendUtf8(out, kReplacement);
  return out;
}

// Zero bytes at even or odd places: the upper halves of plain letters.
size_t CountZeros(std::string_view bytes, size_t first) {
  size_t count = 0;
  for (size_t i = first; i < bytes.size(); i += 2) count += bytes[i] == '\0' ? 1 : 0;
  return count;
}

}  // namespace

size_t Utf8Length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0xC0) return 1;
  if (byte < 0xE0) return 2;
  return byte < 0xF0 ? 3 : 4;
}

std::u32string DecodeUtf8(std::string_view text) {
  std::u32string codes;
  for (size_t i = 0; i < text.size();) {
    char32_t code = 0;
    const size_t length = ReadUtf8(text, i, code);
    codes += length == 0 ? kReplacement : code;
    i += std::max<size_t>(length, 1);
  }
  return codes;
}

bool IsValidUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    char32_t code = 0;
    const size_t length = ReadUtf8(text, i, code);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

void AppendUtf8(std::string& out, char32_t code) {
  const auto add = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
    return;
  }
  if (code < 0x800) {
    add(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      add(0xE0 | code >> 12);
    } else {
      add(0xF0 | code >> 18);
      add(0x80 | (code >> 12 & 0x3F));
    }
    add(0x80 | (code >> 6 & 0x3F));
  }
  add(0x80 | (code & 0x3F));
}

std::string EncodeUtf8(std::u32string_view text) {
  std::string bytes;
  for (const char32_t code : text) AppendUtf8(bytes, code);
  return bytes;
}

std::string WithoutByteOrderMark(std::string_view bytes) {
  if (bytes.starts_with(kUtf8Mark)) return std::string(bytes.substr(kUtf8Mark.size()));
  if (bytes.starts_with(kLittleMark)) return FromUtf16(bytes.substr(kLittleMark.size()), false);
  if (bytes.starts_with(kBigMark)) return FromUtf16(bytes.substr(kBigMark.size()), true);
  return std::string(bytes);
}

std::string ToUtf8(std::string_view bytes) {
  const bool has_mark = bytes.starts_with(kLittleMark) || bytes.starts_with(kBigMark);
  if (!has_mark && bytes.size() % 2 == 0) {
    const size_t even = CountZeros(bytes, 0);
    const size_t odd = CountZeros(bytes, 1);
    if (even == 0 && odd * 4 > bytes.size()) return FromUtf16(bytes, false);
    if (odd == 0 && even * 4 > bytes.size()) return FromUtf16(bytes, true);
  }
  const std::string text = WithoutByteOrderMark(bytes);
  if (IsValidUtf8(text)) return text;
  std::string converted;
  for (const char byte : text) AppendUtf8(converted, static_cast<unsigned char>(byte));
  return converted;
}

}  // namespace aim
