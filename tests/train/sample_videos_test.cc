// Not in a core build, which has no video encoder.
#include <gtest/gtest.h>

#include "aim/media/video.h"
#include "support/temporary_folder.h"
#include "train/sample_strips.h"

namespace aim {
namespace {

// As many frames as there are, at the clip's rate, small ones enlarged; strips without any stay
// without a video.
TEST(SampleVideosTest, AFileHoldsTheFramesOfAStrip) {
  const testing::TemporaryFolder folder;
  std::vector<SampleStrip> strips(3);
  for (const size_t i : {0U, 2U}) {
    strips[i].fps = 8;
    strips[i].frames.assign(5 + i, Image(66, 32));
    for (size_t k = 0; k < strips[i].frames.size(); ++k)
      strips[i].frames[k].rgb.assign(strips[i].frames[k].rgb.size(), static_cast<uint8_t>(30 * k));
  }
  WriteSampleVideos("i2va", folder.path(), strips);
  EXPECT_EQ(strips[0].video, "samples/i2va_0.mp4");
  EXPECT_EQ(strips[1].video, "");
  EXPECT_EQ(strips[2].video, "samples/i2va_2.mp4");
  EXPECT_TRUE(strips[2].frames.empty());
  const Video video = ReadVideo(folder / strips[2].video);
  ASSERT_EQ(video.num_frames, 7);
  EXPECT_NEAR(video.format.fps, 8, 0.01);
  EXPECT_EQ(video.format.width, 66 * 8);
  EXPECT_EQ(video.format.height, 256);
  for (int k = 0; k < 7; ++k) EXPECT_NEAR(video.frame(k)[0], 30 * k, 3) << k;
}

}  // namespace
}  // namespace aim
