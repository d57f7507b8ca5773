#include "aim/codec/camera_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/matchers.h"
#include "support/scene.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

const Eigen::Vector3d kPoint(0.3, 0.1, 0.9);

Camera SomeCamera() { return LookAt({1.4, 0.3, 1.6}, {0.2, 0.0, 0.9}, 0.8, 128); }

TEST(CameraReadingTest, AreSixteenWithTheGivenOneFirst) {
  const auto readings = AllCameraReadings();
  std::set<std::string> words;
  for (const CameraReading& reading : readings) words.insert(ToWords(reading));
  EXPECT_EQ(readings[0], CameraReading());
  EXPECT_EQ(words.size(), readings.size());
}

// Every reading undoes itself: where the mistake is made on purpose, reading it so gives the
// camera.
TEST(CameraReadingTest, AppliedToItsOwnMistakeGivesTheCamera) {
  const Camera camera = SomeCamera();
  const Eigen::Vector2d expected = Project(camera, kPoint)->uv;
  for (const CameraReading& reading : AllCameraReadings()) {
    Camera mistaken = camera;
    if (reading.mirrored_x) mistaken.fx = -mistaken.fx;
    if (reading.mirrored_y) mistaken.fy = -mistaken.fy;
    if (reading.backward) {
      mistaken.world_from_camera.rotation *= Eigen::Quaterniond(0, 1, 0, 0);
    }
    if (reading.inverted) mistaken.world_from_camera = Inverse(mistaken.world_from_camera);
    const Camera read = ReadAs(reading, mistaken);
    EXPECT_GT(read.fx, 0) << ToWords(reading);
    EXPECT_GT(read.fy, 0) << ToWords(reading);
    EXPECT_THAT(Project(read, kPoint)->uv, PixelNear(expected, 1e-9)) << ToWords(reading);
  }
}

// RLBench stores negative focal lengths and axes to the left and up: pixels as ours.
TEST(CameraReadingTest, OfRlbenchsNumbersIsTheSameCamera) {
  const Camera camera = SomeCamera();
  const RlbenchCamera stored = ToRlbench(camera);
  Camera as_stored = camera;
  as_stored.fx = stored.intrinsics(0, 0);
  as_stored.fy = stored.intrinsics(1, 1);
  as_stored.world_from_camera = RigidFromMatrix(stored.world_from_camera, "stored");
  const Camera read = ReadAs({}, as_stored);
  EXPECT_EQ(read.fx, camera.fx);
  EXPECT_THAT(read.world_from_camera, RigidNear(camera.world_from_camera, 1e-9, 1e-9));
}

TEST(CameraReadingTest, OfAnotherResolutionIsScaled) {
  Camera camera = SomeCamera();
  camera.fx *= 4;
  camera.fy *= 4;
  camera.cx *= 4;
  camera.cy *= 4;
  EXPECT_DOUBLE_EQ(ResolutionRatio(camera), 4);
  EXPECT_THAT(Project(FromResolution(camera, 4), kPoint)->uv,
              PixelNear(Project(SomeCamera(), kPoint)->uv, 1e-9));
}

}  // namespace
}  // namespace aim
