#include "data/video_part.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "aim/base/error.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::TemporaryFolder;

constexpr int kSide = 16;
constexpr int kFrames = 12;
constexpr size_t kFrameBytes = kSide * kSide * 3;

// Frame k is grey at level 10 k.
void WriteGreys(const fs::path& path) {
  std::vector<uint8_t> rgb;
  for (int frame = 0; frame < kFrames; ++frame) {
    rgb.insert(rgb.end(), kFrameBytes, static_cast<uint8_t>(10 * frame));
  }
  WriteVideo(path, {kSide, kSide, 10}, rgb, {.crf = 0});
}

// The end is gone: whoever runs over the file refuses it, whoever knows it reads its beginning.
void CutOff(const fs::path& path) { fs::resize_file(path, fs::file_size(path) - 10); }

TEST(VideoPart, IsAVideoOfItsOwn) {
  const TemporaryFolder folder;
  WriteGreys(folder / "a.mp4");
  VideoPart part(std::make_unique<VideoReader>(folder / "a.mp4"), 3, 9);
  EXPECT_EQ(part.info().num_frames, 6);
  EXPECT_EQ(part.info().format.fps, 10);
  EXPECT_EQ(part.info().times_s[0], 0);
  EXPECT_NEAR(part.info().times_s[5], 0.5, 1e-9);
  std::vector<int> frames;
  part.VisitFrames(1, 6, 2, [&](int frame, std::span<const uint8_t> rgb) {
    frames.push_back(frame);
    EXPECT_NEAR(rgb[0], 10 * (frame + 3), 2);
  });
  EXPECT_THAT(frames, ElementsAre(1, 3, 5));
}

TEST(VideoShelfTest, RunsOverAFileOnceForAllThreads) {
  const TemporaryFolder folder;
  WriteGreys(folder / "a.mp4");
  VideoShelf shelf;
  shelf.Open(folder / "a.mp4");
  CutOff(folder / "a.mp4");
  std::vector<std::future<int>> levels;
  for (int frame = 0; frame < 6; ++frame) {
    levels.push_back(std::async(std::launch::async, [&shelf, &folder, frame] {
      int level = -1;
      shelf.Open(folder / "a.mp4")
          ->VisitFrames(frame, frame + 1, 1,
                        [&level](int, std::span<const uint8_t> rgb) { level = rgb[0]; });
      return level;
    }));
  }
  for (int frame = 0; frame < 6; ++frame) {
    EXPECT_NEAR(levels[static_cast<size_t>(frame)].get(), 10 * frame, 2);
  }
}

TEST(VideoShelfTest, ForgetsWhatWasNotUsedForLongest) {
  const TemporaryFolder folder;
  VideoShelf shelf(2 * kFrames);
  for (const char* name : {"a.mp4", "b.mp4", "c.mp4"}) WriteGreys(folder / name);
  shelf.Open(folder / "a.mp4");
  shelf.Open(folder / "b.mp4");
  shelf.Open(folder / "a.mp4");
  shelf.Open(folder / "c.mp4");  // b goes
  for (const char* name : {"a.mp4", "b.mp4", "c.mp4"}) CutOff(folder / name);
  EXPECT_EQ(shelf.Open(folder / "a.mp4")->info().num_frames, kFrames);
  EXPECT_EQ(shelf.Open(folder / "c.mp4")->info().num_frames, kFrames);
  EXPECT_THROW(shelf.Open(folder / "b.mp4"), FormatError);
}

// A file that could not be read is asked again, not remembered as broken.
TEST(VideoShelfTest, ADamagedFileMayBePutRight) {
  const TemporaryFolder folder;
  VideoShelf shelf;
  EXPECT_THROW(shelf.Open(folder / "a.mp4"), InputError);
  WriteGreys(folder / "a.mp4");
  EXPECT_EQ(shelf.Open(folder / "a.mp4")->info().num_frames, kFrames);
}

}  // namespace
}  // namespace aim
