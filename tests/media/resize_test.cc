#include "aim/media/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aim/base/error.h"
#include "media/disc_image.h"

namespace aim {
namespace {

using testing::Centre;
using testing::DiscImage;

Camera MakeCamera(int width, int height) {
  Camera camera;
  camera.width = width;
  camera.height = height;
  camera.fx = 300;
  camera.fy = 320;
  camera.cx = 0.5 * width + 3;
  camera.cy = 0.5 * height - 2;
  return camera;
}

// What a point projects to must be where the resized picture shows it, odd windows included.
TEST(ResizeTest, CameraFollowsThePicture) {
  struct Case {
    int width, height, out_width, out_height;
  };
  for (const Case& c : {Case{320, 240, 64, 64}, Case{241, 160, 80, 80}, Case{160, 301, 96, 64},
                        Case{64, 64, 64, 64}, Case{60, 40, 120, 120}}) {
    const Camera camera = MakeCamera(c.width, c.height);
    const Eigen::Vector3d point(0.02, -0.01, 1.0);
    const Eigen::Vector2d uv = Project(camera, point)->uv;
    const Image image = DiscImage(c.width, c.height, uv.x(), uv.y(), 7);
    const CameraImage resized = CropAndResizeImage(image, camera, c.out_width, c.out_height);
    EXPECT_EQ(resized.image.width, c.out_width);
    EXPECT_EQ(resized.camera.width, c.out_width);
    const Eigen::Vector2d expected = Project(resized.camera, point)->uv;
    const double scale = static_cast<double>(c.out_height) / std::min(c.width, c.height);
    EXPECT_LE((Centre(resized.image) - expected).norm(), 0.15 * std::max(1.0, scale))
        << c.width << "x" << c.height << " -> " << c.out_width << "x" << c.out_height;
  }
}

// A one-pixel checkerboard is grey from far away: no aliasing.
TEST(ResizeTest, ShrinkingTakesTheMean) {
  Image image(64, 64);
  for (int row = 0; row < 64; ++row) {
    for (int col = 0; col < 64; ++col) {
      for (int c = 0; c < 3; ++c) {
        image.rgb[static_cast<size_t>(row * 64 + col) * 3 + static_cast<size_t>(c)] =
            (row + col) % 2 == 0 ? 255 : 0;
      }
    }
  }
  for (const uint8_t value : ResizeImage(image, 16, 16).rgb) EXPECT_NEAR(value, 128, 1);
}

TEST(ResizeTest, TheSameSizeIsTheSamePicture) {
  const Image image = DiscImage(30, 20, 11, 7, 5);
  EXPECT_EQ(ResizeImage(image, 30, 20).rgb, image.rgb);
}

TEST(ResizeTest, ACameraOfAnotherSizeIsRefused) {
  EXPECT_THROW(CropAndResizeImage(Image(32, 32), MakeCamera(64, 64), 16, 16), InputError);
}

}  // namespace
}  // namespace aim
