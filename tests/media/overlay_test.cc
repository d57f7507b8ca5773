#include "aim/media/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "support/scene.h"

namespace aim {
namespace {

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
  const Camera camera = testing::CameraAtOrigin(256);
  for (const double x : {-0.3, 0.0, 0.21}) {
    Image image(256, 256);
    const ToolPose pose = PoseAt(x, 0.1, 0);
    DrawToolPose(image, camera, pose, 1e-6);
    const Eigen::Vector2d expected = Project(camera, pose.world_from_tool.translation)->uv;
    EXPECT_LE((CentreOf(image, 0) - expected).norm(), 0.3);
  }
}

TEST(OverlayTest, AnOpenGripperIsARing) {
  const Camera camera = testing::CameraAtOrigin(512);
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
  const Camera camera = testing::CameraAtOrigin(64);
  Image image(64, 64);
  ToolPose behind = PoseAt(0, 0, 1);
  behind.world_from_tool.translation.z() = -1;
  DrawToolPose(image, camera, behind);
  DrawToolPose(image, camera, PoseAt(1e7, 0, 1));
  EXPECT_EQ(*std::max_element(image.rgb.begin(), image.rgb.end()), 0);
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
