#include "aim/control/camera_wish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "aim/base/error.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::PointNear;

Camera CameraAt(const Eigen::Vector3d& p_in_world) {
  Camera camera{64, 64, 80, 80, 32, 32, {}};
  camera.world_from_camera.translation = p_in_world;
  // Looks down at the origin: z forward.
  camera.world_from_camera.rotation =
      Eigen::Quaterniond::FromTwoVectors(Eigen::Vector3d::UnitZ(), -p_in_world);
  return camera;
}

// What the camera sees at the centre stays where it is in the picture; only the side changes.
TEST(CameraWishTest, TurnedCamerasStillLookAtTheCentreFromTheSameDistance) {
  const Eigen::Vector3d centre(0.5, 0, 0.1);
  Rng rng(3);
  for (int i = 0; i < 100; ++i) {
    const double angle_rad = rng.Uniform(0.05, std::numbers::pi / 2);
    Camera camera = CameraAt({0.4, -0.3, 0.6});
    camera.world_from_camera.translation += centre + Eigen::Vector3d(0.01, 0.02, 0);
    const Rigid3d before = camera.world_from_camera;
    const Eigen::Vector2d seen_at = Project(camera, centre)->uv;
    camera.world_from_camera = TurnedAbout(before, centre, angle_rad, 10 * kDegree, rng);

    EXPECT_THAT(Project(camera, centre)->uv, testing::PixelNear(seen_at, 1e-9)) << "draw " << i;
    const Eigen::Vector3d from = before.translation - centre;
    const Eigen::Vector3d to = camera.world_from_camera.translation - centre;
    EXPECT_NEAR(std::acos(from.normalized().dot(to.normalized())), angle_rad, 1e-9);
    EXPECT_NEAR(from.norm(), to.norm(), 1e-12);
    EXPECT_GE(std::asin(to.z() / to.norm()), 10 * kDegree);
  }
}

// A camera straight above by 90 degrees always ends at the horizon.
TEST(CameraWishTest, AnAngleThatLeavesNoDirectionIsRefused) {
  Rng rng(3);
  ExpectThrowsWith<ConfigError>(
      [&] {
        TurnedAbout(CameraAt({0, 0, 1}).world_from_camera, Eigen::Vector3d::Zero(), 90 * kDegree,
                    10 * kDegree, rng);
      },
      {"--cameras", "moved by 90 degrees", "above the table"});
}

// A third of the draws in each third of the range, as far as a few hundred draws show.
TEST(CameraWishTest, WithinDrawsAllAnglesUpToItsOwn) {
  const CameraWish wish = ParseCameraWish("within:30");
  const Rigid3d before = CameraAt({0.4, -0.3, 0.6}).world_from_camera;
  Rng rng(5);
  std::array<int, 3> count{};
  for (int i = 0; i < 300; ++i) {
    const Rigid3d after = MovedCamera(wish, before, Eigen::Vector3d::Zero(), 10 * kDegree, rng);
    const double angle_deg =
        std::acos(before.translation.normalized().dot(after.translation.normalized())) / kDegree;
    ASSERT_LT(angle_deg, 30);
    ++count[static_cast<size_t>(angle_deg / 10)];
  }
  for (const int third : count) EXPECT_NEAR(third, 100, 30);
}

TEST(CameraWishTest, WordsAndFiles) {
  EXPECT_EQ(ParseCameraWish("as-trained").moved_deg, 0);
  EXPECT_TRUE(ParseCameraWish("as-trained").IsAsTrained());
  EXPECT_EQ(ParseCameraWish("moved:22.5").moved_deg, 22.5);
  EXPECT_EQ(ParseCameraWish("within:15").within_deg, 15);
  EXPECT_FALSE(ParseCameraWish("within:15").IsAsTrained());
  EXPECT_EQ(ParseCameraWish("wide").range, CameraRange::kWide);
  EXPECT_EQ(ParseCameraWish("held-out").range, CameraRange::kHeldOut);
  EXPECT_FALSE(ParseCameraWish("held-out").IsAsTrained());
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "c.json").string();
  WriteCamerasJson(path, {{"left", {CameraAt({0, 0.5, 1})}}, {"right", {CameraAt({0, -0.5, 1})}}});
  const CameraWish wish = ParseCameraWish("file:" + path);
  EXPECT_EQ(wish.moved_deg, 0);
  // By name, whatever the order; by order where the names are others.
  EXPECT_THAT(WishedCamera(wish, 0, "right", 2, 128).world_from_camera.translation,
              PointNear(Eigen::Vector3d(0, -0.5, 1), 1e-9));
  EXPECT_EQ(WishedCamera(wish, 0, "front", 2, 128).world_from_camera.translation.y(), 0.5);
  EXPECT_EQ(WishedCamera(wish, 0, "left", 2, 128).fx, 160);
  ExpectThrowsWith<ConfigError>([&] { WishedCamera(wish, 0, "front", 3, 128); },
                                {"left, right", "front"});
}

// Another camera in the same file is another setting.
TEST(CameraWishTest, AnAngleIsToldWithoutReadingAFile) {
  EXPECT_EQ(MovedDegrees("as-trained"), 0);
  EXPECT_EQ(MovedDegrees("moved:22.5"), 22.5);
  EXPECT_EQ(MovedDegrees("within:10"), std::nullopt);
  EXPECT_EQ(MovedDegrees("wide"), std::nullopt);
  EXPECT_EQ(MovedDegrees("file:/gone/cameras.json"), std::nullopt);
}

TEST(CameraWishTest, SettingsHoldWhatIsInTheFile) {
  EXPECT_EQ(CameraSettings("moved:20"), "moved:20");
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "c.json").string();
  WriteCamerasJson(path, {{"left", {CameraAt({0, 0.5, 1})}}});
  const nlohmann::json before = CameraSettings("file:" + path);
  EXPECT_EQ(CameraSettings("file:" + path), before);
  WriteCamerasJson(path, {{"left", {CameraAt({0, 0.6, 1})}}});
  EXPECT_NE(CameraSettings("file:" + path), before);
}

TEST(CameraWishTest, WhatCannotBeIsNamed) {
  for (const char* text :
       {"", "moved", "moved:", "moved:x", "moved:0", "moved:-3", "moved:91", "moved:nan",
        "within:0", "within:91", "file", "turned:3", "wide:3", "heldout"}) {
    ExpectThrowsWith<ConfigError>([&] { ParseCameraWish(text); }, {"--cameras", "moved:DEG"});
  }
  ExpectThrowsWith<InputError>([] { ParseCameraWish("file:/nowhere/c.json"); }, {"/nowhere"});
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "c.json").string();
  Camera off_centre = CameraAt({0, 0.5, 1});
  off_centre.cx = 30;
  WriteCamerasJson(path, {{"left", {off_centre}}});
  ExpectThrowsWith<ConfigError>([&] { ParseCameraWish("file:" + path); },
                                {"c.json: view left", "principal point"});
}

}  // namespace
}  // namespace aim
