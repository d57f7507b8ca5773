#include "aim/geometry/camera_pair.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "aim/geometry/checked_camera.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/scene.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::RigidNear;

CameraPair PairOf(const Camera& camera, CameraAxes axes) {
  const RlbenchCamera mirrored = ToRlbench(camera);
  const bool is_rlbench = axes == CameraAxes::kRlbench;
  return {.intrinsics = is_rlbench ? mirrored.intrinsics : PinholeMatrix(camera),
          .world_from_camera =
              is_rlbench ? mirrored.world_from_camera : ToMatrix(camera.world_from_camera),
          .axes = axes,
          .intrinsics_name = "k",
          .extrinsics_name = "e",
          .axes_name = "camera_axes"};
}

Camera SomeCamera() {
  Rng rng(5);
  return testing::MakeCameraRig({.num_views = 1, .size_px = 48}, rng)[0];
}

TEST(CameraPairTest, InEitherConventionItIsTheSameCamera) {
  const Camera camera = SomeCamera();
  for (const CameraAxes axes : {CameraAxes::kOpencv, CameraAxes::kRlbench}) {
    const Camera read = CameraFromPair(PairOf(camera, axes), camera.width, camera.height);
    EXPECT_NEAR(read.fx, camera.fx, 1e-9);
    EXPECT_NEAR(read.cy, camera.cy, 1e-9);
    EXPECT_THAT(read.world_from_camera, RigidNear(camera.world_from_camera, 1e-9, 1e-9));
  }
}

struct BadPair {
  std::string name;
  void (*spoil)(CameraPair&);
  std::vector<std::string> words;
};

class BadPairTest : public ::testing::TestWithParam<BadPair> {};

TEST_P(BadPairTest, IsRefusedByTheNameOfItsMatrix) {
  CameraPair pair = PairOf(SomeCamera(), CameraAxes::kOpencv);
  GetParam().spoil(pair);
  ExpectThrowsWith<InputError>([&] { CameraFromPair(pair, 48, 48); }, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadPairTest,
    ::testing::Values(
        BadPair{"Skew", [](CameraPair& p) { p.intrinsics(0, 1) = 3; }, {"k is", "skew"}},
        BadPair{"NotRigid", [](CameraPair& p) { p.world_from_camera *= 2; }, {"e is"}},
        BadPair{"PointOfAnotherPicture",
                [](CameraPair& p) { p.intrinsics(0, 2) = 500; },
                {"k", "principal point"}},
        BadPair{"NegativeFocalLength",
                [](CameraPair& p) { p.intrinsics(0, 0) *= -1; },
                {"k is with focal lengths -", "positive ones", "camera_axes \"opencv\""}},
        BadPair{"OtherAxes",
                [](CameraPair& p) { p.axes = CameraAxes::kRlbench; },
                {"negative ones", "camera_axes \"rlbench\""}}),
    testing::CaseName());

}  // namespace
}  // namespace aim
