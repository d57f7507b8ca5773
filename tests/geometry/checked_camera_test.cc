#include "aim/geometry/checked_camera.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <utility>

#include "aim/base/error.h"
#include "aim/geometry/euler_pose.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;

TEST(CheckedCameraTest, APinholeHasFourNumbers) {
  const Eigen::Matrix3d pinhole{{-300, 0, 7}, {0, 310, -5}, {0, 0, 1}};
  RequirePinholeMatrix(pinhole, "front");
  for (const auto& [row, col] : {std::pair(0, 1), {1, 0}, {2, 0}, {2, 1}, {2, 2}}) {
    Eigen::Matrix3d other = pinhole;
    other(row, col) += 1e-6;
    ExpectThrowsWith<InputError>([&] { RequirePinholeMatrix(other, "front"); },
                                 {"front", "skew", "row by row"});
  }
}

// Numbers that were rounded in a file turn by nothing.
TEST(CheckedCameraTest, ARotationIsNormalisedWithinItsTolerance) {
  const Eigen::Quaterniond unit(0.5, -0.5, 0.5, 0.5);
  for (const double length : {1.0, 1.0009, 0.9991}) {
    const Eigen::Quaterniond given(length * unit.coeffs());
    const Eigen::Quaterniond rotation = CheckedRotation(given, "rig", "");
    EXPECT_NEAR(rotation.norm(), 1, testing::kRoundTripRad);
    EXPECT_NEAR((rotation.coeffs() - unit.coeffs()).norm(), 0, testing::kRoundTripRad);
  }
  for (const double length : {1.0011, 0.9989, 0.0, std::nan("")}) {
    const Eigen::Quaterniond given(length * unit.coeffs());
    ExpectThrowsWith<InputError>([&] { CheckedRotation(given, "rig", "turn it"); },
                                 {"rig", "length", "within 0.001", "turn it"});
  }
}

// A ray through a picture meets the same place of the resized one.
TEST(CheckedCameraTest, ResizedPicturesKeepTheirRays) {
  Camera camera{.width = 640,
                .height = 480,
                .fx = 500,
                .fy = 510,
                .cx = 300,
                .cy = 250,
                .world_from_camera = {}};
  camera.world_from_camera.translation = {1, 2, 3};
  const std::optional<Camera> half = ForResizedPictures(camera, 640, 480, 320, 240);
  ASSERT_TRUE(half.has_value());
  EXPECT_EQ(half->width, 320);
  EXPECT_EQ(half->height, 240);
  EXPECT_EQ(half->world_from_camera.translation, camera.world_from_camera.translation);
  const Ray whole = RayThrough(camera, {100, 400});
  const Ray small = RayThrough(*half, {50, 200});
  EXPECT_NEAR((whole.direction - small.direction).norm(), 0, testing::kRoundTripRad);
}

TEST(CheckedCameraTest, PicturesOfAnotherShapeAreNoResizedOnes) {
  const Camera camera{.width = 640,
                      .height = 480,
                      .fx = 500,
                      .fy = 500,
                      .cx = 320,
                      .cy = 240,
                      .world_from_camera = {}};
  EXPECT_TRUE(ForResizedPictures(camera, 640, 480, 85, 64).has_value());  // whole pixels
  EXPECT_FALSE(ForResizedPictures(camera, 640, 480, 320, 320).has_value());
  EXPECT_FALSE(ForResizedPictures(camera, 640, 480, 640, 500).has_value());
  EXPECT_FALSE(ForResizedPictures(camera, std::nan(""), 480, 320, 240).has_value());
}

// The matrix is read back as it is, and projects as the camera does.
TEST(CheckedCameraTest, ThePinholeMatrixIsTheCameras) {
  const Camera camera{.width = 640,
                      .height = 480,
                      .fx = 500,
                      .fy = 510,
                      .cx = 320,
                      .cy = 240,
                      .world_from_camera = {}};
  const Eigen::Matrix3d matrix = PinholeMatrix(camera);
  EXPECT_NO_THROW(RequirePinholeMatrix(matrix, "here"));
  const Eigen::Vector3d point(0.3, -0.2, 2);
  const Eigen::Vector2d uv = Project(camera, point)->uv;
  EXPECT_NEAR(((matrix * point).hnormalized() - uv).norm(), 0, testing::kRoundTripRad);
}

TEST(EulerPoseTest, IsAPositionAndExtrinsicAngles) {
  const Rigid3d pose = RigidFromEulerPose(std::array{1.0, 2.0, 3.0, 0.1, -0.2, 0.3});
  EXPECT_EQ(pose.translation, Eigen::Vector3d(1, 2, 3));
  const Eigen::Matrix3d turned = (Eigen::AngleAxisd(0.3, Eigen::Vector3d::UnitZ()) *
                                  Eigen::AngleAxisd(-0.2, Eigen::Vector3d::UnitY()) *
                                  Eigen::AngleAxisd(0.1, Eigen::Vector3d::UnitX()))
                                     .toRotationMatrix();
  EXPECT_NEAR((pose.rotation.toRotationMatrix() - turned).norm(), 0, testing::kRoundTripRad);
}

}  // namespace
}  // namespace aim
