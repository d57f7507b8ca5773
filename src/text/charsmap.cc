#include "text/charsmap.h"

#include "aim/base/error.h"
#include "text/unicode.h"

namespace aim {
namespace {

constexpr size_t kClusterBytes = 6;

uint32_t ReadUint32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A unit: bits 0-7 label, 8 "a value follows", 9 offset is shifted by 8, 10-30 offset; bit 31 set
// means that bits 0-30 are a value.
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }
uint32_t Label(uint32_t unit) { return unit & (1U << 31 | 0xFF); }
bool HasValue(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Value(uint32_t unit) { return unit & ~(1U << 31); }

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const std::string& where) {
  const auto fail = [&](const std::string& got, const std::string& expected) {
    throw FormatError({.where = where + ": precompiled charsmap",
                       .got = got,
                       .expected = expected,
                       .fix = "take the tokenizer from the release again"});
  };
  if (bytes.size() < 4) fail("of " + std::to_string(bytes.size()) + " bytes", "a size and a trie");
  const size_t size = ReadUint32(bytes);
  bytes.remove_prefix(4);
  if (size == 0 || size % 4 != 0 || size > bytes.size()) {
    fail("a trie of " + std::to_string(size) + " bytes",
         "a multiple of 4 within the " + std::to_string(bytes.size()) + " bytes that follow");
  }
  for (size_t i = 0; i < size; i += 4) units_.push_back(ReadUint32(bytes.substr(i, 4)));
  replacements_ = bytes.substr(size);
  if (!IsValidUtf8(replacements_)) fail("with replacements that are no UTF-8", "UTF-8 text");
}

std::optional<std::string_view> Charsmap::Find(std::string_view text) const {
  size_t node = Offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return std::nullopt;
    node ^= byte;
    if (node >= units_.size() || Label(units_[node]) != byte) return std::nullopt;
    const uint32_t unit = units_[node];
    node ^= Offset(unit);
    if (node >= units_.size()) return std::nullopt;
    if (!HasValue(unit)) continue;
    const size_t begin = Value(units_[node]);
    if (begin > replacements_.size()) return std::nullopt;
    const std::string_view rest = std::string_view(replacements_).substr(begin);
    return rest.substr(0, rest.find('\0'));
  }
  return std::nullopt;
}

std::string Charsmap::Apply(std::string_view text) const {
  const std::u32string codes = DecodeUtf8(text);
  std::string out;
  for (size_t i = 0; i < codes.size();) {
    const size_t length = GraphemeLength(codes, i);
    const std::string cluster = EncodeUtf8(std::u32string_view(codes).substr(i, length));
    const auto whole = cluster.size() < kClusterBytes ? Find(cluster) : std::nullopt;
    if (whole) {
      out += *whole;
    } else {
      for (size_t byte = 0; byte < cluster.size();) {
        const size_t bytes = Utf8Length(cluster[byte]);
        const std::string_view character = std::string_view(cluster).substr(byte, bytes);
        out += Find(character).value_or(character);
        byte += bytes;
      }
    }
    i += length;
  }
  // A damaged table may point into the middle of a character.
  return IsValidUtf8(out) ? out : EncodeUtf8(DecodeUtf8(out));
}

}  // namespace aim
