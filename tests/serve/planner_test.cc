#include "serve/planner.h"

#include <gmock/gmock.h>

#include "aim/base/error.h"
#include "serve/gated_policy.h"
#include "support/throws.h"
#include "wire/sample_messages.h"
#include "wire/vla_eval_golden.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::Gate;
using testing::GatedPolicy;
using testing::ReadBy;
using testing::SampleObservation;
using testing::VlaEvalGolden;
using testing::VlaEvalObservation;
using testing::With;

TEST(SeenClipTest, PicturesOfAnotherSizeAreResizedWithTheirCameras) {
  const PolicyRequest request = ReadBy("openpi", SampleObservation(32));
  const Clip seen = SeenClip(request, {.image_size = 16}, {});
  ASSERT_EQ(seen.views.size(), 2u);
  EXPECT_EQ(seen.width, 16);
  EXPECT_EQ(seen.views[1].rgb, std::vector<uint8_t>(16 * 16 * 3, 101));
  EXPECT_EQ(seen.views[1].camera.name, "side");
  EXPECT_DOUBLE_EQ(seen.views[1].camera.at(0).fx, request.pictures[1].camera->fx / 2);
}

TEST(SeenClipTest, ViewsAreThoseThatAreAskedForInTheirOrder) {
  Clip seen = SeenClip(ReadBy("openpi", SampleObservation()), {}, {.views = {"side", "front"}});
  EXPECT_EQ(seen.views[0].camera.name, "side");
  EXPECT_EQ(seen.views[1].camera.name, "front");
  seen = SeenClip(ReadBy("openpi", SampleObservation()), {}, {.views = {"side,front"}});
  ASSERT_EQ(seen.views.size(), 2u);
  EXPECT_EQ(seen.views[0].camera.name, "side");
  ExpectThrowsWith<InputError>(
      [] { SeenClip(ReadBy("openpi", SampleObservation()), {}, {.views = {"wrist"}}); },
      {"\"wrist\"", "front, side"});
}

// Of plain clients the server knows the cameras; those that are squeezed only if it is told so.
TEST(SeenClipTest, CamerasOfTheServerServePicturesWithoutCalibration) {
  MsgpackValue::Map map = SampleObservation();
  std::erase_if(map, [](const MsgpackEntry& entry) { return entry.key.starts_with("camera/"); });
  ExpectThrowsWith<InputError>([&] { SeenClip(ReadBy("openpi", map), {}, {}); },
                               {"front, side without calibration", "--cameras"});
  ViewOptions options;
  options.cameras = {{"front", {testing::CameraAtOrigin(64)}}};
  const Clip seen = SeenClip(ReadBy("openpi", map), {}, options);
  ASSERT_EQ(seen.views.size(), 1u);
  EXPECT_DOUBLE_EQ(seen.views[0].camera.at(0).fx, 16);
  options.cameras[0].frames[0].width = 128;
  ExpectThrowsWith<InputError>([&] { SeenClip(ReadBy("openpi", map), {}, options); },
                               {"16x16", "128x64", "--stretched"});
  options.stretched = true;
  const Camera squeezed = SeenClip(ReadBy("openpi", map), {}, options).views[0].camera.at(0);
  EXPECT_DOUBLE_EQ(squeezed.fx, 8);
  EXPECT_DOUBLE_EQ(squeezed.fy, 16);
}

TEST(SeenClipTest, APoseIsNeeded) {
  ExpectThrowsWith<InputError>(
      [] {
        SeenClip(
            ReadBy("openpi", With(SampleObservation(), "observation/gripper_pose", MsgpackValue())),
            {}, {});
      },
      {"observation/gripper_pose is missing"});
}

// A file is decoded where it is used, and must be what its head says.
TEST(SeenClipTest, PicturesMayBePngOrJpeg) {
  PolicyRequest request = ReadBy("vla-eval", VlaEvalObservation());
  const Clip seen = SeenClip(request, {.image_size = 16}, {});
  EXPECT_EQ(seen.views[0].rgb, std::vector<uint8_t>(768, 100));
  EXPECT_EQ(seen.views[1].rgb, std::vector<uint8_t>(768, 101));
  PolicyRequest golden;
  FindWire("vla-eval").read(VlaEvalGolden(), golden);
  request.pictures[0].encoded = golden.pictures[0].encoded;
  EXPECT_EQ(SeenClip(request, {.image_size = 16}, {}).views[0].rgb, std::vector<uint8_t>(768, 100));
  request.pictures[0].width = 17;
  ExpectThrowsWith<FormatError>([&] { SeenClip(request, {}, {}); }, {"16x16", "17x16"});
  request.pictures[0].width = 16;
  request.pictures[0].encoded.resize(60);
  ExpectThrowsWith<FormatError>([&] { SeenClip(request, {}, {}); }, {"images/front"});
}

// Such a client acts at its own rate, and sees again when it likes.
TEST(PlannerTest, ActionsOfOneByOneClientsHaveTheirRate) {
  Gate gate;
  const auto make = [&](const ActionOptions& actions) {
    return Planner({std::make_unique<GatedPolicy>(gate), nullptr}, {}, actions);
  };
  PolicyRequest request = ReadBy("vla-eval", VlaEvalObservation());
  EXPECT_EQ(make({}).MakePlan(request, {}).actions.size(), 2u);
  const std::vector<ToolPose> faster =
      make({.action_hz = 20}).MakePlan(request, {.seed = 5}).actions;
  ASSERT_EQ(faster.size(), 10u);
  EXPECT_NEAR(faster[4].world_from_tool.translation.x(), 5, 1e-9);
  EXPECT_EQ(make({.action_hz = 20, .chunk = 3}).MakePlan(request, {}).actions.size(), 3u);
  request.one_action = false;
  EXPECT_EQ(make({.action_hz = 20, .chunk = 1}).MakePlan(request, {}).actions.size(), 2u);
}

}  // namespace
}  // namespace aim
