#include "aim/format/png.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace aim {
namespace {

uint32_t BigEndian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes.at(at + i));
  return value;
}

// Signature, then chunks: the header says size and kind, the end is there. media/image_test reads
// the pixels back.
TEST(PngTest, HasTheChunksOfAnRgbPicture) {
  const std::vector<uint8_t> rgb(5 * 3 * 3, 77);
  const std::string png = EncodePng(5, 3, rgb);
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(png.substr(12, 4), "IHDR");
  EXPECT_EQ(BigEndian(png, 16), 5U);
  EXPECT_EQ(BigEndian(png, 20), 3U);
  EXPECT_EQ(png[24], 8);  // bits
  EXPECT_EQ(png[25], 2);  // RGB
  EXPECT_EQ(png.substr(png.size() - 8, 4), "IEND");
}

}  // namespace
}  // namespace aim
