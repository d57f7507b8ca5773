#include "aim/codec/rig_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "support/case_name.h"
#include "support/scene.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kRigSizePx = 128;
// From the table of the scene to a world whose origin is the robot's foot.
const Eigen::Vector3d kRobotAtOrigin(0.2, 0, -0.85);
const Eigen::Vector3d kFarFromOrigin(0, 0, 5);

std::vector<CameraTrack> MakeRig(const Eigen::Vector3d& place = kRobotAtOrigin, uint64_t seed = 4) {
  Rng rng(seed);
  std::vector<Camera> rig = testing::MakeCameraRig({.size_px = kRigSizePx}, rng);
  for (Camera& camera : rig) camera.world_from_camera.translation += place;
  return {{"front", {rig[0]}}, {"overhead", {rig[1]}}};
}

std::vector<ToolPose> Poses(const Eigen::Vector3d& place = kRobotAtOrigin) {
  Rng rng(3);
  std::vector<ToolPose> poses;
  for (int i = 0; i < 12; ++i) {
    poses.push_back(testing::RandomToolPose(rng));
    poses.back().world_from_tool.translation += place;
  }
  return poses;
}

TEST(RigCheckTest, ATrueRigIsNotMentioned) {
  EXPECT_THAT(CheckRig(MakeRig(), Poses(), "cameras.json"), IsEmpty());
  EXPECT_THAT(LookAtTool(MakeRig(), Poses()).hypothesis, IsEmpty());
}

struct Fault {
  std::string name;
  std::function<void(Camera&)> injure;
  std::string words;  // of the hypothesis
  Eigen::Vector3d place = kRobotAtOrigin;
};

// Cameras that a fault blinds: some happen to see the tool all the same.
std::vector<CameraTrack> BlindedRig(const Fault& fault) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    std::vector<CameraTrack> rig = MakeRig(fault.place, seed);
    for (CameraTrack& track : rig) fault.injure(track.frames[0]);
    const RigSight sight = LookAtTool(rig, Poses(fault.place));
    if (sight.seen == std::vector<double>{0, 0}) return rig;
  }
  ADD_FAILURE() << "no rig is blinded";
  return MakeRig();
}

class RigFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(RigFaultTest, InEveryViewIsRefusedWithTheReadingThatFits) {
  const std::vector<CameraTrack> rig = BlindedRig(GetParam());
  ExpectThrowsWith<InputError>([&] { CheckRig(rig, Poses(GetParam().place), "cameras.json"); },
                               {"cameras.json", "none sees the tool", GetParam().words});
}

TEST_P(RigFaultTest, InOneViewIsAWarningThatNamesIt) {
  std::vector<CameraTrack> rig = MakeRig(GetParam().place);
  rig[1] = BlindedRig(GetParam())[1];
  const std::vector<std::string> sentences = CheckRig(rig, Poses(GetParam().place), "cameras.json");
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_THAT(sentences[0], HasSubstr("view overhead"));
  EXPECT_THAT(sentences[0], HasSubstr(GetParam().words));
}

void Turn(Camera& camera, double w, double x, double y, double z) {
  camera.world_from_camera.rotation *= Eigen::Quaterniond(w, x, y, z);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, RigFaultTest,
    ::testing::Values(Fault{"opengl", [](Camera& c) { Turn(c, 0, 1, 0, 0); }, "OpenGL's axes"},
                      Fault{"inverted",
                            [](Camera& c) { c.world_from_camera = Inverse(c.world_from_camera); },
                            "camera_from_world was given"},
                      Fault{"millimetres",
                            [](Camera& c) { c.world_from_camera.translation *= 1000; },
                            "millimetres", kFarFromOrigin},
                      Fault{"inverted_opengl",
                            [](Camera& c) {
                              Turn(c, 0, 1, 0, 0);
                              c.world_from_camera = Inverse(c.world_from_camera);
                            },
                            "camera_from_world with OpenGL's axes"}),
    testing::CaseName());

TEST(RigCheckTest, IntrinsicsOfAnotherResolutionAreMentioned) {
  std::vector<CameraTrack> rig = MakeRig();
  Camera& camera = rig[0].frames[0];
  camera.fx /= 4;
  camera.fy /= 4;
  camera.cx /= 4;
  camera.cy /= 4;
  const std::vector<std::string> sentences = CheckRig(rig, Poses(), "cameras.json");
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_THAT(sentences[0], HasSubstr("view front"));
  EXPECT_THAT(sentences[0], HasSubstr("another resolution"));
}

TEST(RigCheckTest, SwappedViewsAreExplained) {
  const std::vector<CameraTrack> rig = MakeRig();
  const std::vector<CameraTrack> swapped = {rig[1], rig[0]};
  const auto score = [&](std::span<const CameraTrack> cameras) {
    return cameras[0].at(0).world_from_camera.translation ==
                   rig[0].at(0).world_from_camera.translation
               ? 1.0
               : 0.0;
  };
  EXPECT_THAT(ExplainRig(swapped, score), HasSubstr("view overhead and view front are swapped"));
  EXPECT_EQ(ExplainRig(swapped, [](std::span<const CameraTrack>) { return 0.5; }), "");
}

TEST(RigCheckTest, BlobsThatNoPoseExplainsContradict) {
  const DecodedPose seen{
      .pose = {}, .decodable = true, .confidence = 0.9, .visible = {1, 1, 1, 1, 1, 1}};
  EXPECT_FALSE(ViewsContradict(seen, 0.2));
  DecodedPose lost = seen;
  lost.decodable = false;
  EXPECT_TRUE(ViewsContradict(lost, 0.2));
  lost.visible = {1, 1, 1, 1, 0, 0};  // the second view shows too little to contradict
  EXPECT_FALSE(ViewsContradict(lost, 0.2));
}

TEST(RigCheckTest, PosesInMillimetresAreNamed) {
  std::vector<ToolPose> poses = Poses();
  for (ToolPose& pose : poses) pose.world_from_tool.translation *= 1000;
  ExpectThrowsWith<InputError>([&] { CheckRig(MakeRig(), poses, "cameras.json"); },
                               {"none sees the tool", "reads like poses in millimetres"});
}

// Such cameras may well look at the robot, from a kilometre away.
TEST(RigCheckTest, CamerasInMillimetresThatSeeTheToolAreRefused) {
  std::vector<CameraTrack> rig = MakeRig();
  for (CameraTrack& track : rig) track.frames[0].world_from_camera.translation *= 1000;
  ExpectThrowsWith<InputError>(
      [&] { CheckRig(rig, Poses(), "cameras.json"); },
      {"a thousandth of a picture", "reads like world_from_camera in millimetres"});
}

}  // namespace
}  // namespace aim
