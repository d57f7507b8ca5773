#include "aim/geometry/plucker.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "aim/base/error.h"
#include "support/matchers.h"
#include "support/scene.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using testing::kSixDigits;
using testing::MakeCameraRig;

constexpr int kSize = 512;

std::vector<float> Rays(const Camera& camera, const Rigid3d& world_from_reference, int rows,
                        int columns) {
  std::vector<float> rays(static_cast<size_t>(6 * rows * columns));
  PluckerRaysInto(camera, world_from_reference, rows, columns, rays);
  return rays;
}

std::array<double, 6> At(const std::vector<float>& rays, size_t row, size_t column,
                         size_t rows = kSize, size_t columns = kSize) {
  std::array<double, 6> ray{};
  for (size_t channel = 0; channel < 6; ++channel) {
    ray[channel] = static_cast<double>(rays[(channel * rows + row) * columns + column]);
  }
  return ray;
}

Camera FromRlbenchAxes(const Eigen::Vector3d& centre, const Eigen::Vector3d& x,
                       const Eigen::Vector3d& y, const Eigen::Vector3d& z) {
  Eigen::Matrix3d intrinsics;
  intrinsics << -703.354215, 0, 256, 0, -703.354215, 256, 0, 0, 1;
  Eigen::Matrix4d world_from_rlbench = Eigen::Matrix4d::Identity();
  world_from_rlbench.topRows<3>() << x, y, z, centre;
  return CameraFromRlbench(intrinsics, world_from_rlbench, kSize, kSize);
}

const Camera kFront =
    FromRlbenchAxes({1.35, 0, 1.58}, {0, -1, 0}, {-.422618, 0, .906308}, {-.906308, 0, -.422618});
const Camera kOver =
    FromRlbenchAxes({-.175, 0, 2.43}, {0, 1, 0}, {.906308, 0, .422618}, {.422618, 0, -.906308});

struct Golden {
  size_t row, column;
  std::array<double, 6> ray;  // direction and moment in RLBench axes (x left, y up, z forward)
};

// Our axes are RLBench's turned by half a turn about z: x and y of both vectors change sign.
void ExpectRays(const std::vector<float>& rays, const std::vector<Golden>& goldens) {
  constexpr std::array<double, 6> kSign = {-1, -1, 1, -1, -1, 1};
  for (const Golden& golden : goldens) {
    const std::array<double, 6> ray = At(rays, golden.row, golden.column);
    for (size_t channel = 0; channel < 6; ++channel) {
      EXPECT_NEAR(ray[channel], kSign[channel] * golden.ray[channel], kSixDigits)
          << golden.row << ", " << golden.column << ", channel " << channel;
    }
  }
}

// Origin: docs/reference/method.md section 9, G3 (scripts/make_method_goldens.py).
TEST(PluckerTest, FirstViewIsItsOwnReference) {
  ExpectRays(Rays(kFront, kFront.world_from_camera, kSize, kSize),
             {{0, 0, {.323116, .323116, .889490, 0, 0, 0}},
              {255, 255, {.000711, .000711, .999999, 0, 0, 0}},
              {100, 400, {-.196682, .211654, .957350, 0, 0, 0}},
              {511, 511, {-.323116, -.323116, .889490, 0, 0, 0}}});
}

TEST(PluckerTest, SecondViewMatchesTheReference) {
  ExpectRays(Rays(kOver, kFront.world_from_camera, kSize, kSize),
             {{0, 0, {-.323116, -.889490, -.323116, .150897, -.110171, .152387}},
              {255, 255, {-.000711, -.999999, -.000711, .340629, -.000242, .000335}},
              {100, 400, {.196682, -.957350, -.211654, .226602, .067062, -.092759}},
              {511, 511, {.323116, -.889490, .323116, .455672, .110171, -.152387}}});
}

TEST(PluckerTest, DirectionsAreUnitAndMomentsArePerpendicular) {
  Rng rng(1);
  const std::vector<Camera> rig = MakeCameraRig({.num_views = 3}, rng);
  for (const Camera& camera : rig) {
    const std::vector<float> rays = Rays(camera, rig[0].world_from_camera, 8, 12);
    for (size_t row = 0; row < 8; ++row) {
      for (size_t column = 0; column < 12; ++column) {
        const auto ray = At(rays, row, column, 8, 12);
        const Eigen::Vector3d direction(ray[0], ray[1], ray[2]);
        const Eigen::Vector3d moment(ray[3], ray[4], ray[5]);
        EXPECT_NEAR(direction.norm(), 1.0, 1e-6);
        EXPECT_NEAR(direction.dot(moment), 0.0, 1e-6);
      }
    }
  }
}

// A point of the world lies on the ray of the cell it projects into the centre of.
TEST(PluckerTest, RayPassesThroughTheWorldPoint) {
  Rng rng(2);
  const std::vector<Camera> rig = MakeCameraRig({.num_views = 2}, rng);
  const std::vector<float> rays = Rays(rig[1], rig[0].world_from_camera, 4, 4);
  const Ray ray = RayThrough(rig[1], {2.5 * 512 / 4, 1.5 * 512 / 4});
  const Eigen::Vector3d p_in_reference =
      Inverse(rig[0].world_from_camera) * (ray.origin + 1.7 * ray.direction);
  const auto plucker = At(rays, 1, 2, 4, 4);
  const Eigen::Vector3d direction(plucker[0], plucker[1], plucker[2]);
  const Eigen::Vector3d moment(plucker[3], plucker[4], plucker[5]);
  EXPECT_LE((p_in_reference.cross(direction) - 3 * moment).norm(), 1e-6);
}

TEST(PluckerTest, MovingWorldAndReferenceTogetherChangesNothing) {
  Rng rng(3);
  std::vector<Camera> rig = MakeCameraRig({.num_views = 2}, rng);
  const std::vector<float> before = Rays(rig[1], rig[0].world_from_camera, 4, 4);
  const Rigid3d moved = testing::RandomRigid(rng);
  for (Camera& camera : rig) camera.world_from_camera = moved * camera.world_from_camera;
  const std::vector<float> after = Rays(rig[1], rig[0].world_from_camera, 4, 4);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-6);
}

TEST(PluckerTest, OutputOfAnotherSizeIsABug) {
  std::vector<float> out(10);
  EXPECT_THROW(PluckerRaysInto(kFront, kFront.world_from_camera, 2, 2, out), InternalError);
}

}  // namespace
}  // namespace aim
