// What every build can draw: action images over pictures, the path of the tip, filmstrips.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "aim/media/blend.h"
#include "aim/media/filmstrip.h"
#include "aim/media/tip_path.h"
#include "support/scene.h"

namespace aim {
namespace {

ToolPose TipAt(const Eigen::Vector3d& tip) {
  ToolPose pose;
  pose.world_from_tool.translation = tip;
  return pose;
}

// At a peak of full strength the picture is the channel's colour; the gripper's pedestal is not
// drawn, so an empty action image changes nothing.
TEST(DrawingTest, BlendShowsPeaksAndIgnoresThePedestal) {
  Image image(4, 2);
  std::fill(image.rgb.begin(), image.rgb.end(), uint8_t{100});
  std::vector<float> action(24, 0.0F);
  for (size_t i = 16; i < 24; ++i) action[i] = 0.25F;
  EXPECT_EQ(BlendActionImage(image, action).rgb, image.rgb);
  action[8 + 3] = 1.0F;  // G of pixel 3
  const Image blended = BlendActionImage(image, action, 1.0);
  EXPECT_EQ(blended.rgb[9], 0);
  EXPECT_EQ(blended.rgb[10], 255);
  EXPECT_EQ(blended.rgb[11], 0);
  EXPECT_EQ(blended.rgb[0], 100);
}

TEST(DrawingTest, FramesAreSpreadEvenly) {
  EXPECT_EQ(SpreadFrames(41, 5), (std::set<int>{0, 10, 20, 30, 40}));
  EXPECT_EQ(SpreadFrames(3, 8), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(SpreadFrames(1, 2), (std::set<int>{0}));
}

TEST(DrawingTest, ActionImageBecomesBytes) {
  const std::vector<float> action = {0.0F, 1.0F, 0.5F, 2.0F, -1.0F, 0.25F};  // R R G G B B
  const Image image = ActionImageToImage(action, 2, 1);
  EXPECT_EQ(image.rgb, (std::vector<uint8_t>{0, 128, 0, 255, 255, 64}));
}

TEST(DrawingTest, FilmstripAndStackPlaceEveryPicture) {
  std::vector<Image> frames;
  for (int i = 0; i < 3; ++i) {
    frames.emplace_back(5, 4);
    std::fill(frames.back().rgb.begin(), frames.back().rgb.end(), static_cast<uint8_t>(10 * i));
  }
  const Image strip = Filmstrip(frames, 2);
  EXPECT_EQ(strip.width, 19);
  EXPECT_EQ(strip.height, 4);
  EXPECT_EQ(strip.rgb[0], 0);
  EXPECT_EQ(strip.rgb[5 * 3], 255);  // the gap
  EXPECT_EQ(strip.rgb[7 * 3], 10);   // second picture
  EXPECT_EQ(strip.rgb[18 * 3], 20);  // third
  const Image stack = StackImages(std::vector<Image>{strip, frames[1]}, 1);
  EXPECT_EQ(stack.width, 19);
  EXPECT_EQ(stack.height, 9);
  EXPECT_EQ(stack.rgb[5 * 19 * 3], 10);
  EXPECT_EQ(stack.rgb[(5 * 19 + 6) * 3], 255);
}

TEST(DrawingTest, PathEndsBrighterThanItBegins) {
  const Camera camera = testing::CameraAtOrigin(128);
  Image image(128, 128);
  std::vector<ToolPose> poses;
  for (int i = 0; i < 20; ++i) poses.push_back(TipAt({-0.4 + 0.04 * i, 0, 1}));
  DrawTipPath(image, camera, poses, {240, 240, 240});
  const auto at = [&](int col) { return image.rgb[static_cast<size_t>(63 * 128 + col) * 3]; };
  EXPECT_LT(at(20), at(105));
  EXPECT_GT(at(20), 30);
}

// From the middle of one pixel to that of another: those pixels, half of their neighbours' colour
// at most beside the line, nothing two pixels away.
TEST(DrawingTest, PathCoversThePixelsItRunsThrough) {
  Image image(64, 64);
  const std::vector<ToolPose> poses = {TipAt({0.5 / 64, 0.5 / 64, 1}),
                                       TipAt({10.5 / 64, 0.5 / 64, 1})};
  DrawTipPath(image, testing::CameraAtOrigin(64), poses, {200, 100, 0});
  const auto at = [&](int row, int col) {
    return image.rgb[static_cast<size_t>(row * 64 + col) * 3];
  };
  for (int col = 32; col <= 42; ++col) {
    EXPECT_EQ(at(32, col), 200) << col;
    EXPECT_EQ(image.rgb[static_cast<size_t>(32 * 64 + col) * 3 + 1], 100) << col;
    EXPECT_EQ(at(31, col), 0) << col;
    EXPECT_EQ(at(34, col), 0) << col;
  }
  EXPECT_EQ(at(32, 44), 0);
  EXPECT_EQ(at(32, 30), 0);
}

TEST(DrawingTest, PathLeavesOutWhatIsBehindOrFarOutside) {
  Image image(64, 64);
  const std::vector<ToolPose> poses = {TipAt({0, 0, -1}), TipAt({0, 0, 1}), TipAt({1e7, 0, 1})};
  DrawTipPath(image, testing::CameraAtOrigin(64), poses, {240, 240, 240});
  EXPECT_EQ(*std::max_element(image.rgb.begin(), image.rgb.end()), 0);
}

}  // namespace
}  // namespace aim
