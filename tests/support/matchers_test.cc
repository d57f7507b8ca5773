#include "support/matchers.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "support/scene.h"
#include "support/tolerance.h"

namespace aim::testing {
namespace {

using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(RotationNearTest, AcceptsBothSignsAndSmallErrors) {
  const Eigen::Quaterniond rotation(Eigen::AngleAxisd(0.5, Eigen::Vector3d::UnitZ()));
  const Eigen::Quaterniond negated(-rotation.coeffs());
  const Eigen::Quaterniond turned(Eigen::AngleAxisd(0.51, Eigen::Vector3d::UnitZ()));
  EXPECT_THAT(negated, RotationNear(rotation, 1e-12));
  EXPECT_THAT(turned, RotationNear(rotation, 0.011));
  EXPECT_THAT(turned, Not(RotationNear(rotation, 0.009)));
}

TEST(RotationNearTest, RefusesNanAndLengthsOtherThanOne) {
  const Eigen::Quaterniond identity = Eigen::Quaterniond::Identity();
  EXPECT_THAT(Eigen::Quaterniond(kNan, 0, 0, 0), Not(RotationNear(identity, 10.0)));
  EXPECT_THAT(Eigen::Quaterniond(2, 0, 0, 0), Not(RotationNear(identity, 10.0)));
}

TEST(PointNearTest, MeasuresDistanceAndRefusesNan) {
  const Eigen::Vector3d point(1, 2, 3);
  EXPECT_THAT(Eigen::Vector3d(1, 2, 3.1), PointNear(point, 0.11));
  EXPECT_THAT(Eigen::Vector3d(1, 2, 3.1), Not(PointNear(point, 0.09)));
  EXPECT_THAT(Eigen::Vector3d(1, kNan, 3), Not(PointNear(point, 1e9)));
}

TEST(PixelNearTest, MeasuresDistanceAndRefusesNan) {
  const Eigen::Vector2d pixel(100, 200);
  EXPECT_THAT(Eigen::Vector2d(103, 204), PixelNear(pixel, 5.1));
  EXPECT_THAT(Eigen::Vector2d(103, 204), Not(PixelNear(pixel, 4.9)));
  EXPECT_THAT(Eigen::Vector2d(kNan, 200), Not(PixelNear(pixel, 1e9)));
}

TEST(RigidNearTest, ChecksBothPartsAndRefusesNan) {
  const Rigid3d identity;
  const Rigid3d moved{Eigen::Quaterniond::Identity(), {0.1, 0, 0}};
  const Rigid3d turned{Eigen::Quaterniond(Eigen::AngleAxisd(0.1, Eigen::Vector3d::UnitX())),
                       Eigen::Vector3d::Zero()};
  EXPECT_THAT(moved, RigidNear(identity, 0.11, 0.0));
  EXPECT_THAT(moved, Not(RigidNear(identity, 0.09, 1.0)));
  EXPECT_THAT(turned, RigidNear(identity, 0.0, 0.11));
  EXPECT_THAT(turned, Not(RigidNear(identity, 1.0, 0.09)));
  const Rigid3d broken{Eigen::Quaterniond::Identity(), {kNan, 0, 0}};
  EXPECT_THAT(broken, Not(RigidNear(identity, 1e9, 10.0)));
}

TEST(SceneTest, EveryCameraOfARigSeesTheWorkspace) {
  Rng rng(3);
  const std::vector<Camera> rig = MakeCameraRig({.num_views = 5}, rng);
  ASSERT_EQ(rig.size(), 5u);
  for (int i = 0; i < 50; ++i) {
    const ToolPose pose = RandomToolPose(rng);
    EXPECT_NEAR(pose.world_from_tool.rotation.norm(), 1.0, kRoundTripRad);
    for (const Camera& camera : rig) {
      const auto projection = Project(camera, pose.world_from_tool.translation);
      ASSERT_TRUE(projection.has_value());
      EXPECT_TRUE((projection->uv.array() > 0).all() && (projection->uv.array() < 512).all())
          << projection->uv.transpose();
    }
  }
}

TEST(SceneTest, UnitVectorsFillTheSphere) {
  Rng rng(5);
  Eigen::Vector3d sum = Eigen::Vector3d::Zero();
  for (int i = 0; i < 2000; ++i) {
    const Eigen::Vector3d direction = RandomUnitVector(rng);
    ASSERT_NEAR(direction.norm(), 1.0, 1e-12);
    sum += direction;
  }
  EXPECT_LT(sum.norm() / 2000, 0.05);  // three standard errors
}

}  // namespace
}  // namespace aim::testing
