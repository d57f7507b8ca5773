#include "aim/codec/rig_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "codec/rlbench_scene.h"
#include "support/case_name.h"
#include "support/scene.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kSizePx = 128;

std::vector<CameraTrack> Rig() {
  return {{"front", {testing::FrontCamera(kSizePx)}},
          {"overhead", {testing::OverheadCamera(kSizePx)}}};
}

std::vector<ToolPose> Poses() {
  Rng rng(3);
  std::vector<ToolPose> poses;
  for (int i = 0; i < 12; ++i) poses.push_back(testing::RandomToolPose(rng));
  return poses;
}

TEST(RigCheckTest, ATrueRigIsNotMentioned) {
  EXPECT_THAT(CheckRig(Rig(), Poses(), "cameras.json"), IsEmpty());
  EXPECT_THAT(LookAtTool(Rig(), Poses()).hypothesis, IsEmpty());
}

struct Fault {
  std::string name;
  std::function<void(Camera&)> injure;
  std::string words;  // of the hypothesis
};

class RigFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(RigFaultTest, InEveryViewIsRefusedWithTheReadingThatFits) {
  std::vector<CameraTrack> rig = Rig();
  for (CameraTrack& track : rig) GetParam().injure(track.frames[0]);
  ExpectThrowsWith<InputError>([&] { CheckRig(rig, Poses(), "cameras.json"); },
                               {"cameras.json", "none sees the tool", GetParam().words});
}

TEST_P(RigFaultTest, InOneViewIsAWarningThatNamesIt) {
  std::vector<CameraTrack> rig = Rig();
  GetParam().injure(rig[1].frames[0]);
  const std::vector<std::string> sentences = CheckRig(rig, Poses(), "cameras.json");
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
                            "millimetres"},
                      Fault{"inverted_opengl",
                            [](Camera& c) {
                              Turn(c, 0, 1, 0, 0);
                              c.world_from_camera = Inverse(c.world_from_camera);
                            },
                            "camera_from_world with OpenGL's axes"}),
    testing::CaseName());

TEST(RigCheckTest, IntrinsicsOfAnotherResolutionAreMentioned) {
  std::vector<CameraTrack> rig = Rig();
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
  const std::vector<CameraTrack> rig = Rig();
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

}  // namespace
}  // namespace aim
