#include "wire/picture_head.h"

#include <cstddef>

namespace aim {
namespace {

uint32_t BigEndian(std::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = at; i < at + count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// A frame header of ITU-T T.81, B.2.2: C4, C8 and CC are tables and an extension.
bool IsJpegFrame(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Segments of ITU-T T.81, B.1.1: a marker, two bytes of length (their own included), the rest.
PictureSize SizeOfJpeg(std::string_view bytes) {
  constexpr uint8_t kScan = 0xDA;  // pixels begin; a frame after them has none
  size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == '\xff') {
    const auto marker = static_cast<uint8_t>(bytes[at + 1]);
    if (marker == 0xFF) {  // padding
      ++at;
      continue;
    }
    const uint32_t length = BigEndian(bytes, at + 2, 2);
    if (marker == kScan || length < 2) return {};
    if (IsJpegFrame(marker)) {  // length, bits, height, width
      if (at + 9 > bytes.size()) return {};
      return {BigEndian(bytes, at + 7, 2), BigEndian(bytes, at + 5, 2)};
    }
    at += 2 + length;
  }
  return {};
}

}  // namespace

PictureSize SizeOfPictureFile(std::string_view bytes) {
  constexpr std::string_view kPng("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  if (bytes.starts_with(kPng) && bytes.size() >= kPng.size() + 8) {
    return {BigEndian(bytes, 16, 4), BigEndian(bytes, 20, 4)};
  }
  if (bytes.starts_with("\xff\xd8")) return SizeOfJpeg(bytes);
  return {};
}

}  // namespace aim
