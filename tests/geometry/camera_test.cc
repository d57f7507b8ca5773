#include "aim/geometry/camera.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "aim/base/error.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/scene.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::kFourDigits;
using testing::kRoundTripM;
using testing::kRoundTripPx;
using testing::kRoundTripRad;
using testing::kTwoDigitsPx;
using testing::MakeCameraRig;
using testing::PixelNear;
using testing::PointNear;
using testing::RandomToolPose;
using testing::RigidNear;

Eigen::Matrix3d RlbenchIntrinsics(double focal, double size_px) {
  Eigen::Matrix3d intrinsics;
  intrinsics << focal, 0, size_px / 2, 0, focal, size_px / 2, 0, 0, 1;
  return intrinsics;
}

// Columns are the camera axes in the world (x left, y up, z forward).
Camera RlbenchCameraAt(const Eigen::Vector3d& centre, const Eigen::Vector3d& x,
                       const Eigen::Vector3d& y, const Eigen::Vector3d& z, double focal,
                       int size_px) {
  Eigen::Matrix4d world_from_rlbench = Eigen::Matrix4d::Identity();
  world_from_rlbench.topRows<3>() << x, y, z, centre;
  return CameraFromRlbench(RlbenchIntrinsics(focal, size_px), world_from_rlbench, size_px, size_px);
}

// FRONT and OVER of docs/reference/method.md section 9.
Camera Front(double focal, int size_px) {
  return RlbenchCameraAt({1.35, 0, 1.58}, {0, -1, 0}, {-.422618, 0, .906308},
                         {-.906308, 0, -.422618}, focal, size_px);
}
Camera Over(double focal, int size_px) {
  return RlbenchCameraAt({-.175, 0, 2.43}, {0, 1, 0}, {.906308, 0, .422618}, {.422618, 0, -.906308},
                         focal, size_px);
}

TEST(CameraTest, RayThroughAProjectionHitsThePoint) {
  Rng rng(1);
  for (const Camera& camera : MakeCameraRig({.num_views = 4}, rng)) {
    for (int i = 0; i < 50; ++i) {
      const Eigen::Vector3d point = RandomToolPose(rng).world_from_tool.translation;
      const auto projection = Project(camera, point);
      ASSERT_TRUE(projection.has_value());
      const Ray ray = RayThrough(camera, projection->uv);
      EXPECT_NEAR(ray.direction.norm(), 1.0, 1e-14);
      const double distance_m = (point - ray.origin).norm();
      EXPECT_THAT(Eigen::Vector3d(ray.origin + distance_m * ray.direction),
                  PointNear(point, kRoundTripM));
    }
  }
}

TEST(CameraTest, DepthIsMeasuredAlongTheOpticalAxis) {
  const Camera camera{100, 80, 50, 60, 50, 40, {}};
  const auto projection = Project(camera, {0.5, -0.25, 2});
  ASSERT_TRUE(projection.has_value());
  EXPECT_EQ(projection->depth_m, 2);
  EXPECT_THAT(projection->uv, PixelNear(Eigen::Vector2d(62.5, 32.5), kRoundTripPx));
}

TEST(CameraTest, PointsBehindOrAtTheCameraAreNotSeen) {
  const Camera camera{100, 80, 50, 60, 50, 40, {}};
  EXPECT_FALSE(Project(camera, {0, 0, -1}).has_value());
  EXPECT_FALSE(Project(camera, {0, 0, 0}).has_value());
  EXPECT_FALSE(Project(camera, {0, 0, std::numeric_limits<double>::quiet_NaN()}).has_value());
  EXPECT_FALSE(Project(camera, {0, 0, 0.4}, 0.5).has_value());
}

TEST(CameraTest, CropAndResizeMovesPixelsWithThePicture) {
  Rng rng(2);
  const Camera camera = MakeCameraRig({.num_views = 1}, rng)[0];
  const Camera cut = CropAndResize(camera, 64, 32, 256, 128, 512, 64);
  for (int i = 0; i < 50; ++i) {
    const Eigen::Vector3d point = RandomToolPose(rng).world_from_tool.translation;
    const Eigen::Vector2d uv = Project(camera, point)->uv;
    const Eigen::Vector2d expected((uv.x() - 64) * 2, (uv.y() - 32) / 2);
    EXPECT_THAT(Project(cut, point)->uv, PixelNear(expected, kRoundTripPx));
  }
  EXPECT_EQ(cut.width, 512);
  EXPECT_EQ(cut.height, 64);
}

// Origin: docs/reference/method.md section 9, G11: 320x180 f 200 c (160, 90), middle square cut and
// resized.
TEST(CameraTest, CropAndResizeMatchesTheReference) {
  const Camera camera{320, 180, 200, 200, 160, 90, {}};
  const Camera cut = CropAndResize(camera, 70, 0, 180, 180, 256, 256);
  EXPECT_NEAR(cut.fx, 284.444444, 1e-6);
  EXPECT_NEAR(cut.fy, 284.444444, 1e-6);
  EXPECT_NEAR(cut.cx, 128, 1e-12);
  EXPECT_NEAR(cut.cy, 128, 1e-12);
}

TEST(RlbenchTest, ConversionThereAndBackIsTheSameCamera) {
  Rng rng(3);
  for (const Camera& camera : MakeCameraRig({.num_views = 4}, rng)) {
    const RlbenchCamera converted = ToRlbench(camera);
    EXPECT_LT(converted.intrinsics(0, 0), 0);
    EXPECT_LT(converted.intrinsics(1, 1), 0);
    const Camera back =
        CameraFromRlbench(converted.intrinsics, converted.world_from_camera, 512, 512);
    EXPECT_THAT(back.world_from_camera,
                RigidNear(camera.world_from_camera, kRoundTripM, kRoundTripRad));
    EXPECT_EQ(back.fx, camera.fx);
    EXPECT_EQ(back.cy, camera.cy);
  }
}

// RLBench's own formula: u = cx + fx x_c / z_c with its stored signs
// (docs/reference/formats.md 1.4).
TEST(RlbenchTest, ProjectsAsTheStoredMatricesDo) {
  Rng rng(4);
  for (const Camera& camera : MakeCameraRig({.num_views = 3}, rng)) {
    const RlbenchCamera stored = ToRlbench(camera);
    for (int i = 0; i < 20; ++i) {
      const Eigen::Vector3d point = RandomToolPose(rng).world_from_tool.translation;
      const Eigen::Vector3d p_in_camera =
          (stored.world_from_camera.inverse() * point.homogeneous()).head<3>();
      const Eigen::Vector3d h = stored.intrinsics * p_in_camera;
      EXPECT_THAT(Project(camera, point)->uv,
                  PixelNear(Eigen::Vector2d(h.hnormalized()), kRoundTripPx));
    }
  }
}

// docs/reference/formats.md 1.3: f = -size / (2 tan(fov / 2)); 40 degrees, 60 for the wrist.
TEST(RlbenchTest, FocalLengthsOfTheStandardCameras) {
  const auto focal = [](double size_px, double fov_degrees) {
    const Rigid3d identity;
    return CameraFromMujoco(identity, fov_degrees * std::numbers::pi / 180,
                            static_cast<int>(size_px), static_cast<int>(size_px))
        .fx;
  };
  EXPECT_NEAR(focal(128, 40), 175.8386, kFourDigits);
  EXPECT_NEAR(focal(256, 40), 351.6771, kFourDigits);
  EXPECT_NEAR(focal(512, 40), 703.3542, kFourDigits);
  EXPECT_NEAR(focal(512, 60), 443.4050, kFourDigits);
}

struct RecordedView {
  const char* name;
  Eigen::Vector3d centre, x, y, z;
  Eigen::Vector2d uv;
};

// A recorded RLBench episode (PerAct, open_drawer, variation data, episode 0, frame 41, 128x128):
// stored matrices and tip, and where the tip projects to.
// docs/reference/formats.md sections 1.3, 1.4 and 7.
TEST(RlbenchTest, TipOfARecordedFrameProjectsOntoTheGripper) {
  const Eigen::Vector3d tip(0.24737, 0.18463, 1.23745);
  const std::vector<RecordedView> views = {{"front",
                                            {1.35, 0, 1.58},
                                            {0, -1, 0},
                                            {-.42262, 0, .90631},
                                            {-.90631, 0, -.42262},
                                            {92.38, 40.10}},
                                           {"overhead",
                                            {-.175, 0, 2.42999},
                                            {0, 1, 0},
                                            {.90631, 0, .42262},
                                            {.42262, 0, -.90631},
                                            {38.22, 80.92}},
                                           {"left_shoulder",
                                            {-.175, .2, 1.98},
                                            {.17365, .98481, 0},
                                            {.89254, -.15738, .42262},
                                            {.4162, -.07339, -.90631},
                                            {51.96, 50.43}},
                                           {"right_shoulder",
                                            {-.175, -.2, 1.97999},
                                            {-.17365, .98481, 0},
                                            {.89254, .15738, .42262},
                                            {.4162, .07339, -.90631},
                                            {2.76, 39.20}}};
  for (const RecordedView& view : views) {
    const Camera camera = RlbenchCameraAt(view.centre, view.x, view.y, view.z, -175.83856, 128);
    EXPECT_THAT(Project(camera, tip)->uv, PixelNear(view.uv, kTwoDigitsPx)) << view.name;
  }
}

// Origin: docs/reference/method.md section 9, G1, tip of P1 and P2 (scripts/make_method_goldens.py,
// float64).
TEST(RlbenchTest, TipsOfTheReferencePosesProjectAsPublished) {
  constexpr double kFocal = -703.354215;
  const Eigen::Vector3d p1(.30, .05, 1.05);
  const Eigen::Vector3d p2(.25, -.10, .95);
  // Axes are printed with six digits: an error of up to 5e-7 * 703 px on top of the fourth digit.
  constexpr double kTolerancePx = 1e-3;
  EXPECT_THAT(Project(Front(kFocal, 512), p1)->uv,
              PixelNear(Eigen::Vector2d(285.9144, 277.8937), kTolerancePx));
  EXPECT_THAT(Project(Over(kFocal, 512), p1)->uv,
              PixelNear(Eigen::Vector2d(231.7706, 330.0048), kTolerancePx));
  EXPECT_THAT(Project(Front(kFocal, 512), p2)->uv,
              PixelNear(Eigen::Vector2d(200.3191, 315.0740), kTolerancePx));
  EXPECT_THAT(Project(Over(kFocal, 512), p2)->uv,
              PixelNear(Eigen::Vector2d(302.2445, 367.1227), kTolerancePx));
}

TEST(RlbenchTest, PositiveFocalLengthsAreRefused) {
  const Eigen::Matrix4d identity = Eigen::Matrix4d::Identity();
  for (const double focal : {612.4, 0.0, std::numeric_limits<double>::quiet_NaN()}) {
    ExpectThrowsWith<InputError>(
        [&] { CameraFromRlbench(RlbenchIntrinsics(focal, 128), identity, 128, 128); },
        {"RLBench intrinsics", "negative focal lengths"});
  }
}

TEST(MujocoTest, LooksAlongMinusZWithYUp) {
  const Rigid3d world_from_gl;  // camera at the origin, looking down -z
  const Camera camera = CameraFromMujoco(world_from_gl, std::numbers::pi / 2, 200, 100);
  EXPECT_NEAR(camera.fx, 50, 1e-12);
  EXPECT_FALSE(Project(camera, {0, 0, 1}).has_value());
  EXPECT_THAT(Project(camera, {0.5, 0.25, -1})->uv,
              PixelNear(Eigen::Vector2d(125, 37.5), kRoundTripPx));
}

struct BadCamera {
  const char* name;
  void (*spoil)(Camera&);
  std::vector<std::string> words;
};

class BadCameraTest : public ::testing::TestWithParam<BadCamera> {};

TEST_P(BadCameraTest, IsRefusedInOneSentence) {
  Camera camera{128, 96, 100, 100, 64, 48, {}};
  EXPECT_NO_THROW(Validate(camera, "views[1]"));
  GetParam().spoil(camera);
  ExpectThrowsWith<InputError>([&] { Validate(camera, "views[1]"); }, GetParam().words);
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    Cameras, BadCameraTest,
    ::testing::Values(
        BadCamera{"NegativeFx",
                  [](Camera& c) { c.fx = -612.4; },
                  {"views[1].fx is -612.4; expected a positive focal length in pixels; "
                   "convert RLBench cameras with CameraFromRlbench"}},
        BadCamera{"ZeroFy", [](Camera& c) { c.fy = 0; }, {"views[1].fy is 0"}},
        BadCamera{"NanFx", [](Camera& c) { c.fx = kNan; }, {"views[1].fx is nan"}},
        BadCamera{"NoWidth", [](Camera& c) { c.width = 0; }, {"views[1].width x height is 0 x 96"}},
        BadCamera{"NanCx", [](Camera& c) { c.cx = kNan; }, {"not finite"}},
        BadCamera{"NanPosition",
                  [](Camera& c) { c.world_from_camera.translation.x() = kNan; },
                  {"not finite"}}),
    testing::CaseName());

}  // namespace
}  // namespace aim
