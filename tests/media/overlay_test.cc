#include "aim/media/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace aim {
namespace {

Camera MakeCamera(int size) {
  Camera camera;
  camera.width = camera.height = size;
  camera.fx = camera.fy = size;
  camera.cx = camera.cy = 0.5 * size;
  return camera;
}

// Edge coordinates of the centre of the pixels where `channel` leads both others by 60.
Eigen::Vector2d CentreOf(const Image& image, size_t channel) {
  Eigen::Vector2d sum(0, 0);
  double count = 0;
  for (int row = 0; row < image.height; ++row) {
    for (int col = 0; col < image.width; ++col) {
      const uint8_t* pixel = &image.rgb[static_cast<size_t>(row * image.width + col) * 3];
      bool leads = true;
      for (size_t c = 0; c < 3; ++c) leads &= c == channel || pixel[channel] >= pixel[c] + 60;
      if (!leads) continue;
      sum += Eigen::Vector2d(col + 0.5, row + 0.5);
      count += 1;
    }
  }
  return sum / count;
}

ToolPose PoseAt(double x, double y, double open) {
  ToolPose pose;
  pose.world_from_tool.translation = {x, y, 1.0};
  pose.gripper_open = open;
  return pose;
}

// The red disc of a closed gripper lies where the tip projects.
TEST(OverlayTest, TipIsDrawnWhereItProjects) {
  const Camera camera = MakeCamera(256);
  for (const double x : {-0.3, 0.0, 0.21}) {
    Image image(256, 256);
    const ToolPose pose = PoseAt(x, 0.1, 0);
    DrawToolPose(image, camera, pose, 1e-6);
    const Eigen::Vector2d expected = Project(camera, pose.world_from_tool.translation)->uv;
    EXPECT_LE((CentreOf(image, 0) - expected).norm(), 0.3);
  }
}

TEST(OverlayTest, AnOpenGripperIsARing) {
  const Camera camera = MakeCamera(512);
  Image open(512, 512);
  Image closed(512, 512);
  DrawToolPose(open, camera, PoseAt(0.1, 0.1, 1), 0);
  DrawToolPose(closed, camera, PoseAt(0.1, 0.1, 0), 0);
  const auto sum = [](const Image& image) {
    double total = 0;
    for (size_t i = 0; i < image.rgb.size(); i += 3) total += image.rgb[i];
    return total;
  };
  EXPECT_LT(sum(open), 0.9 * sum(closed));
}

TEST(OverlayTest, PosesBehindTheCameraAndFarOutsideAreLeftOut) {
  const Camera camera = MakeCamera(64);
  Image image(64, 64);
  ToolPose behind = PoseAt(0, 0, 1);
  behind.world_from_tool.translation.z() = -1;
  DrawToolPose(image, camera, behind);
  DrawToolPose(image, camera, PoseAt(1e7, 0, 1));
  EXPECT_EQ(*std::max_element(image.rgb.begin(), image.rgb.end()), 0);
}

TEST(OverlayTest, PathEndsBrighterThanItBegins) {
  const Camera camera = MakeCamera(128);
  Image image(128, 128);
  std::vector<ToolPose> poses;
  for (int i = 0; i < 20; ++i) poses.push_back(PoseAt(-0.4 + 0.04 * i, 0, 1));
  DrawTipPath(image, camera, poses, {240, 240, 240});
  const auto at = [&](int col) { return image.rgb[static_cast<size_t>(63 * 128 + col) * 3]; };
  EXPECT_LT(at(20), at(105));
  EXPECT_GT(at(20), 30);
}

// At a peak of full strength the picture is the channel's colour; the gripper's pedestal is not
// drawn, so an empty action image changes nothing.
TEST(OverlayTest, BlendShowsPeaksAndIgnoresThePedestal) {
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

TEST(OverlayTest, ActionImageBecomesBytes) {
  const std::vector<float> action = {0.0F, 1.0F, 0.5F, 2.0F, -1.0F, 0.25F};  // R R G G B B
  const Image image = ActionImageToImage(action, 2, 1);
  EXPECT_EQ(image.rgb, (std::vector<uint8_t>{0, 128, 0, 255, 255, 64}));
}

TEST(OverlayTest, FilmstripAndStackPlaceEveryPicture) {
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

TEST(OverlayTest, LabelsAreCutAtTheBorder) {
  Image image(40, 20);
  std::fill(image.rgb.begin(), image.rgb.end(), uint8_t{128});
  const Image before = image;
  DrawLabel(image, "outside", 100, 100);
  EXPECT_EQ(image.rgb, before.rgb);
  DrawLabel(image, "a long label that leaves the picture", -5, 2);
  EXPECT_NE(image.rgb, before.rgb);
}

}  // namespace
}  // namespace aim
