#include "aim/media/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/format/png.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Image NoiseImage(int width, int height) {
  Rng rng(5);
  Image image(width, height);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(rng.UniformInt(256));
  return image;
}

TEST(ImageTest, PngKeepsEveryBitAndTheOrderOfColours) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder / "deep" / "a.png";
  const Image image = NoiseImage(37, 11);
  WriteImage(path, image);
  const Image read = ReadImage(path);
  EXPECT_EQ(read.width, 37);
  EXPECT_EQ(read.height, 11);
  EXPECT_EQ(read.rgb, image.rgb);
}

// What a build without OpenCV writes.
TEST(ImageTest, ReadsThePngOfTheFormatModule) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder / "a.png";
  const Image image = NoiseImage(37, 11);
  WriteFileAtomic(path, EncodePng(image.width, image.height, image.rgb));
  const Image read = ReadImage(path);
  EXPECT_EQ(read.width, 37);
  EXPECT_EQ(read.height, 11);
  EXPECT_EQ(read.rgb, image.rgb);
}

TEST(ImageTest, JpegStaysNear) {
  const testing::TemporaryFolder folder;
  const fs::path path = folder / "a.jpg";
  Image image(16, 16);
  for (size_t i = 0; i < image.rgb.size(); i += 3) image.rgb[i] = 200;
  WriteImage(path, image);
  const Image read = ReadImage(path);
  EXPECT_NEAR(read.rgb[0], 200, 4);
  EXPECT_NEAR(read.rgb[2], 0, 4);
  const Image noise = NoiseImage(37, 11);
  EXPECT_LT(EncodeJpeg(noise, 50).size(), EncodeJpeg(noise, 95).size());
  WriteImage(path, noise);
  EXPECT_EQ(EncodeJpeg(noise, 95), ReadFile(path));
}

TEST(ImageTest, BadPicturesAreNamed) {
  const testing::TemporaryFolder folder;
  WriteImage(folder / "whole.png", NoiseImage(8, 8));
  WriteImage(folder / "whole.jpg", NoiseImage(32, 32));
  const std::string jpg = ReadFile(folder / "whole.jpg");
  const std::string png = ReadFile(folder / "whole.png");
  struct Row {
    const char* name;
    std::string bytes;
  };
  for (const Row& row :
       {Row{"empty.png", ""}, Row{"text.png", "no picture"}, Row{"head.png", png.substr(0, 20)}}) {
    WriteFileAtomic(folder / row.name, row.bytes);
    try {
      ReadImage(folder / row.name);
      ADD_FAILURE() << row.name << " was accepted";
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr(row.name));
    }
  }
  EXPECT_THROW(ReadImage(folder / "none.png"), InputError);
  EXPECT_THROW(WriteImage(folder / "a.xyz", NoiseImage(2, 2)), ConfigError);
}

}  // namespace
}  // namespace aim
