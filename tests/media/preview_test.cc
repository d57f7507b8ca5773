#include "aim/media/preview.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "media/video_container.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using testing::TemporaryFolder;

// Saturated blobs on black, as action images are.
std::vector<Image> ActionFrames(int count, int size) {
  std::vector<Image> frames;
  for (int k = 0; k < count; ++k) {
    Image image(size, size);
    for (int row = 0; row < size; ++row) {
      for (int col = 0; col < size; ++col) {
        for (int c = 0; c < 3; ++c) {
          const double x = col - size * (0.3 + 0.2 * c) - k;
          const double y = row - size * 0.5;
          image.rgb[static_cast<size_t>((row * size + col) * 3 + c)] = static_cast<uint8_t>(
              std::lround(255 * std::exp(-(x * x + y * y) / (0.02 * size * size))));
        }
      }
    }
    frames.push_back(std::move(image));
  }
  return frames;
}

TEST(EnlargePixels, MakesSquares) {
  Image image(3, 2);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i);
  const Image large = EnlargePixels(image);
  ASSERT_EQ(large.width, 384);
  ASSERT_EQ(large.height, 256);
  for (int row = 0; row < large.height; row += 5) {
    for (int col = 0; col < large.width; col += 5) {
      const auto at = static_cast<size_t>(row * large.width + col) * 3;
      ASSERT_EQ(large.rgb[at], 3 * (row / 128 * 3 + col / 128)) << row << " " << col;
    }
  }
  EXPECT_EQ(EnlargePixels(Image(300, 256)).width, 300);
  EXPECT_EQ(EnlargePixels(Image(255, 400)).width, 510);
  EXPECT_LE(EnlargePixels(Image(2, 1000)).height, 4096);
}

// What every browser plays, tagged with the matrix that its colours were made with.
TEST(PreviewedVideoWriter, ThePreviewHasTheColoursOfTheFrames) {
  const TemporaryFolder folder;
  const std::vector<Image> frames = ActionFrames(5, 48);
  PreviewedVideoWriter writer(folder / "view0_action.mp4", {48, 48, 8});
  for (const Image& frame : frames) writer.Append(frame);
  writer.Finish();
  const Video lossless = ReadVideo(folder / "view0_action.mp4");
  const std::filesystem::path path = PreviewPath(folder / "view0_action.mp4");
  EXPECT_EQ(path.filename(), "view0_action_preview.mp4");
  const VideoContainer container(path);
  const AVCodecParameters& codec = *container.stream().codecpar;
  EXPECT_EQ(codec.codec_id, AV_CODEC_ID_H264);
  EXPECT_EQ(codec.format, AV_PIX_FMT_YUV420P);
  EXPECT_EQ(codec.color_space, AVCOL_SPC_BT709);
  EXPECT_EQ(codec.color_primaries, AVCOL_PRI_BT709);
  EXPECT_EQ(codec.color_trc, AVCOL_TRC_BT709);
  EXPECT_EQ(codec.color_range, AVCOL_RANGE_MPEG);
  const Video preview = ReadVideo(path);
  ASSERT_EQ(preview.num_frames, 5);
  EXPECT_EQ(preview.format.width, 288);
  EXPECT_NEAR(preview.format.fps, 8, 1e-9);
  for (int k = 0; k < 5; ++k) {
    const Image& frame = frames[static_cast<size_t>(k)];
    EXPECT_TRUE(std::ranges::equal(lossless.frame(k), frame.rgb));
    const Image large = EnlargePixels(frame);
    const std::span<const uint8_t> shown = preview.frame(k);
    double sum = 0;
    for (size_t i = 0; i < shown.size(); ++i) sum += std::abs(int{shown[i]} - int{large.rgb[i]});
    EXPECT_LE(sum / static_cast<double>(shown.size()), 2.0) << k;  // RGB read as YUV: 60
  }
}

}  // namespace
}  // namespace aim
