#include "aim/media/jitter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "media/disc_image.h"

namespace aim {
namespace {

using testing::Centre;
using testing::DiscImage;

Camera SomeCamera() {
  Camera camera;
  camera.width = 320;
  camera.height = 240;
  camera.fx = 380;
  camera.fy = 370;
  camera.cx = 166;
  camera.cy = 113;
  camera.world_from_camera = {ExpRotation({0.3, -0.8, 0.2}), {0.1, 0.4, -0.2}};
  return camera;
}

// Its centre of mass is exact, where that of a disc with hard edges is not.
Image SoftDot(int width, int height, const Eigen::Vector2d& uv) {
  Image image(width, height);
  for (int row = 0; row < height; ++row) {
    for (int col = 0; col < width; ++col) {
      const double distance = (Eigen::Vector2d(col + 0.5, row + 0.5) - uv).norm();
      image.rgb[static_cast<size_t>(row * width + col) * 3] =
          static_cast<uint8_t>(std::lround(255 * std::exp(-distance * distance / 18)));
    }
  }
  return image;
}

// A point of the world is shown where the turned camera says.
TEST(JitterTest, TheTurnedCameraFitsThePicture) {
  const Camera camera = SomeCamera();
  const Eigen::Vector3d point = camera.world_from_camera * Eigen::Vector3d(0.03, -0.02, 1.1);
  const Eigen::Vector2d uv = Project(camera, point)->uv;
  const Image image = SoftDot(camera.width, camera.height, uv);
  for (const CameraTurn& turn :
       {CameraTurn{{0, 0, 0}, 1.2}, CameraTurn{{0.05, 0, 0}, 1}, CameraTurn{{0, -0.06, 0}, 1},
        CameraTurn{{0, 0, 0.15}, 1}, CameraTurn{{0.03, 0.04, -0.1}, 1.1}}) {
    const std::optional<Camera> turned = TurnCamera(camera, turn);
    ASSERT_TRUE(turned.has_value());
    const Eigen::Vector2d expected = Project(*turned, point)->uv;
    EXPECT_GT((expected - uv).norm(), 2) << turn.rotation_rad.transpose();
    EXPECT_LT((Centre(SeenBy(*turned, image, camera)) - expected).norm(), 0.03)
        << turn.rotation_rad.transpose();
    EXPECT_EQ(turned->world_from_camera.translation, camera.world_from_camera.translation);
    EXPECT_GE(turned->fx, camera.fx * turn.zoom);
  }
}

// Nothing is invented at the border: a picture with a frame of another colour shows what lies
// inside.
TEST(JitterTest, TheTurnedPictureIsFilled) {
  const Camera camera = SomeCamera();
  for (const Eigen::Vector3d& rotation :
       {Eigen::Vector3d(0.06, 0.02, 0.1), Eigen::Vector3d(-0.05, -0.07, -0.05)}) {
    const std::optional<Camera> turned = TurnCamera(camera, {rotation, 1});
    ASSERT_TRUE(turned.has_value());
    for (const double u : {0.0, 320.0}) {
      for (const double v : {0.0, 240.0}) {
        const Eigen::Vector3d direction = RayThrough(*turned, {u, v}).direction;
        const Eigen::Vector2d old =
            Project(camera, camera.world_from_camera.translation + direction)->uv;
        EXPECT_GE(old.minCoeff(), -1e-6);
        EXPECT_LE(old.x(), 320 + 1e-6);
        EXPECT_LE(old.y(), 240 + 1e-6);
      }
    }
  }
  EXPECT_FALSE(TurnCamera(camera, {{0.5, 0, 0}, 1}).has_value());
}

TEST(JitterTest, NoTurnIsTheSamePicture) {
  const Camera camera = SomeCamera();
  const Image image = DiscImage(camera.width, camera.height, 100, 90, 20);
  EXPECT_EQ(SeenBy(*TurnCamera(camera, {}), image, camera).rgb, image.rgb);
  EXPECT_THROW(SeenBy(camera, Image(16, 16), camera), InputError);
}

TEST(JitterTest, LightChangesAsItsNumbersSay) {
  const Image colour = [] {
    Image image(1, 1);
    image.rgb = {100, 150, 50};
    return image;
  }();
  const auto changed = [&](const LightChange& change) {
    Image image = colour;
    ChangeLight(change, image);
    return image.rgb;
  };
  EXPECT_EQ(changed({}), colour.rgb);
  EXPECT_EQ(changed({.brightness = 1.5}), (std::vector<uint8_t>{150, 225, 75}));
  EXPECT_EQ(changed({.brightness = 3}), (std::vector<uint8_t>{255, 255, 150}));
  EXPECT_EQ(changed({.contrast = 0.5}), (std::vector<uint8_t>{114, 139, 89}));
  const std::vector<uint8_t> grey = changed({.saturation = 0});  // 0.299 R + 0.587 G + 0.114 B
  EXPECT_EQ(grey, (std::vector<uint8_t>{124, 124, 124}));
  // A third of the circle turns red into green into blue.
  EXPECT_EQ(changed({.hue_rad = 2 * std::acos(-1.0) / 3}), (std::vector<uint8_t>{50, 100, 150}));
}

}  // namespace
}  // namespace aim
