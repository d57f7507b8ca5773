#include "aim/media/picture_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/media/image.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

void WritePicture(const fs::path& path, uint8_t grey, int width = 8) {
  Image image(width, 6);
  for (uint8_t& value : image.rgb) value = grey;
  WriteImage(path, image);
}

std::vector<int> GreysOf(PictureFolder& pictures, int begin, int end, int stride) {
  std::vector<int> greys;
  pictures.VisitFrames(begin, end, stride, [&](int frame, std::span<const uint8_t> rgb) {
    EXPECT_EQ(frame, begin + stride * static_cast<int>(greys.size()));
    greys.push_back(rgb[0]);
  });
  return greys;
}

// By number, not by name: 10.png comes after 9.png.
TEST(PictureFolderTest, FramesComeInOrderOfTheirNumbers) {
  const testing::TemporaryFolder folder;
  for (int k = 0; k < 12; ++k) {
    WritePicture(folder / (std::to_string(k) + ".png"), static_cast<uint8_t>(10 * k));
  }
  WriteFileAtomic(folder / "._3.png", "what macOS leaves");
  WriteFileAtomic(folder / "notes.txt", "no picture");
  PictureFolder pictures(folder.path(), 20);
  EXPECT_EQ(pictures.info().num_frames, 12);
  EXPECT_EQ(pictures.info().format.width, 8);
  EXPECT_EQ(pictures.info().format.height, 6);
  EXPECT_DOUBLE_EQ(pictures.info().times_s[11], 0.55);
  EXPECT_THAT(GreysOf(pictures, 1, 12, 5), ElementsAre(10, 60, 110));
}

TEST(PictureFolderTest, PaddedNamesAndCapitalsAreTheSame) {
  const testing::TemporaryFolder folder;
  WritePicture(folder / "000000.png", 1);
  WritePicture(folder / "000001.png", 2);
  fs::rename(folder / "000001.png", folder / "000001.PNG");
  PictureFolder pictures(folder.path(), 5);
  EXPECT_THAT(GreysOf(pictures, 0, 2, 1), ElementsAre(1, 2));
}

TEST(PictureFolderTest, NamesMayBeginAndEndOtherwise) {
  const testing::TemporaryFolder folder;
  WritePicture(folder / "im_0.png", 1);
  WritePicture(folder / "im_1.png", 2);
  for (const char* name : {"im_0", "im_1"}) {
    fs::rename(folder / (std::string(name) + ".png"), folder / (std::string(name) + ".jpg"));
  }
  PictureFolder pictures(folder.path(), 5, {.prefix = "im_", .extension = ".jpg"});
  EXPECT_THAT(GreysOf(pictures, 0, 2, 1), ElementsAre(1, 2));
  WritePicture(folder / "2.png", 3);
  fs::rename(folder / "2.png", folder / "2.jpg");
  testing::ExpectThrowsWith<InputError>(
      [&] { PictureFolder(folder.path(), 5, {.prefix = "im_", .extension = ".jpg"}); },
      {"2.jpg", "no frame number", "im_0.jpg"});
}

TEST(PictureFolderTest, WhatCannotBeAVideoIsRefused) {
  const testing::TemporaryFolder folder;
  const auto open = [&](const char* name) { return PictureFolder(folder / name, 5); };
  fs::create_directory(folder / "empty");
  WritePicture(folder / "gap" / "0.png", 0);
  WritePicture(folder / "gap" / "2.png", 0);
  WritePicture(folder / "twice" / "0.png", 0);
  WritePicture(folder / "twice" / "00.png", 0);
  WritePicture(folder / "named" / "front.png", 0);
  testing::ExpectThrowsWith<InputError>([&] { open("none"); }, {"none", "missing"});
  testing::ExpectThrowsWith<InputError>([&] { open("empty"); }, {"empty", "without .png pictures"});
  testing::ExpectThrowsWith<InputError>([&] { open("gap"); }, {"2 pictures", "frame 1"});
  testing::ExpectThrowsWith<InputError>([&] { open("twice"); }, {"two pictures of frame 0"});
  testing::ExpectThrowsWith<InputError>([&] { open("named"); }, {"front.png", "no frame number"});
}

// Damage is found by who reads that frame.
TEST(PictureFolderTest, ADamagedOrOtherPictureIsNamed) {
  const testing::TemporaryFolder folder;
  WritePicture(folder / "0.png", 7);
  WritePicture(folder / "1.png", 7, 9);
  WriteFileAtomic(folder / "2.png", "\x89PNG cut");
  PictureFolder pictures(folder.path(), 5);
  EXPECT_THAT(GreysOf(pictures, 0, 1, 1), ElementsAre(7));
  testing::ExpectThrowsWith<InputError>([&] { GreysOf(pictures, 0, 2, 1); },
                                        {"1.png", "9x6", "8x6"});
  testing::ExpectThrowsWith<FormatError>([&] { GreysOf(pictures, 2, 3, 1); }, {"2.png"});
}

}  // namespace
}  // namespace aim
