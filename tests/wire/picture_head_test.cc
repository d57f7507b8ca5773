#include "wire/picture_head.h"

#include <gtest/gtest.h>

#include "aim/format/png.h"
#include "aim/wire/wire.h"
#include "wire/vla_eval_golden.h"

namespace aim {
namespace {

std::string GoldenJpeg() {
  PolicyRequest request;
  FindWire("vla-eval").read(testing::VlaEvalGolden(), request);
  return request.pictures.at(0).encoded;
}

void ExpectSize(const std::string& bytes, uint32_t width, uint32_t height) {
  const PictureSize size = SizeOfPictureFile(bytes);
  EXPECT_EQ(size.width, width);
  EXPECT_EQ(size.height, height);
}

TEST(PictureHeadTest, PngAndJpeg) {
  ExpectSize(EncodePng(7, 3, std::vector<uint8_t>(63)), 7, 3);
  ExpectSize(GoldenJpeg(), 16, 16);
}

// Start, a comment, padding before a marker; a progressive frame of 8 bits, 4 high, 513 wide.
TEST(PictureHeadTest, SegmentsBeforeTheFrameArePassedOver) {
  const std::string start("\xff\xd8\xff\xfe\x00\x05hey\xff\xff", 11);
  const std::string frame("\xff\xc2\x00\x0b\x08\x00\x04\x02\x01\x01\x00\x11\x00", 13);
  ExpectSize(start + frame, 513, 4);
  const std::string table("\xff\xc4\x00\x09\x08\x00\x04\x02\x01\x01\x00", 11);  // looks like one
  ExpectSize("\xff\xd8" + table + frame, 513, 4);
}

struct NoSize {
  std::string name;
  std::string bytes;
};

TEST(PictureHeadTest, OthersHaveNone) {
  const std::string frame("\xff\xc0\x00\x0b\x08\x00\x04\x02\x01\x01\x00\x11\x00", 13);
  const NoSize cases[] = {
      {"nothing", ""},
      {"gif", "GIF89a\x01\x00\x01\x00"},
      {"start alone", "\xff\xd8"},
      {"a frame after the scan", std::string("\xff\xd8\xff\xda\x00\x02", 6) + frame},
      {"a segment shorter than its length", std::string("\xff\xd8\xff\xe0\x00\x01", 6) + frame},
      {"a segment past the end", std::string("\xff\xd8\xff\xe0\xff\xff", 6) + frame},
      {"no marker", std::string("\xff\xd8\x00\x00", 4) + frame},
  };
  for (const NoSize& each : cases) {
    SCOPED_TRACE(each.name);
    ExpectSize(each.bytes, 0, 0);
  }
}

// Cut anywhere: the size, or none; never another one.
TEST(PictureHeadTest, TruncatedAtEveryByte) {
  for (const std::string& whole : {GoldenJpeg(), EncodePng(16, 16, std::vector<uint8_t>(768))}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      const PictureSize found = SizeOfPictureFile(std::string_view(whole).substr(0, size));
      EXPECT_TRUE((found.width == 16 && found.height == 16) ||
                  (found.width == 0 && found.height == 0))
          << size;
    }
  }
}

}  // namespace
}  // namespace aim
