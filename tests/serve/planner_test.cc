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

// Pictures that have no camera are no views: which, where the model wants more.
TEST(SeenClipTest, PicturesWithoutCalibrationAreNamedWhereViewsAreMissing) {
  PolicyRequest request = ReadBy("openpi", SampleObservation());
  request.pictures[1].camera.reset();
  EXPECT_EQ(SeenClip(request, {}, {}).views.size(), 1U);
  ExpectThrowsWith<InputError>([&] { SeenClip(request, {.num_views = 2}, {}); },
                               {"of 1 view; expected 2", "side came without"});
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
TEST(PlannerTest, ActionsOfClientsThatAreToldNoneHaveTheServersRate) {
  Gate gate;
  const auto make = [&](const ActionOptions& actions) {
    return Planner({std::make_unique<GatedPolicy>(gate), nullptr}, {}, actions);
  };
  PolicyRequest request = ReadBy("vla-eval", VlaEvalObservation());
  const auto actions_of = [&](const ActionOptions& actions) {
    return make(actions).MakePlans({{&request, {.seed = 5}}})[0].reply.actions;
  };
  EXPECT_EQ(actions_of({}).size(), 2u);
  const std::vector<ToolPose> faster = actions_of({.action_hz = 20});
  ASSERT_EQ(faster.size(), 10u);
  EXPECT_NEAR(faster[4].world_from_tool.translation.x(), 5, 1e-9);
  EXPECT_EQ(actions_of({.action_hz = 20, .chunk = 3}).size(), 3u);
  for (const int hz : {0, 4, 15, 20}) {
    for (const int chunk : {0, 3}) {
      const ActionOptions options{.action_hz = static_cast<double>(hz), .chunk = chunk};
      EXPECT_EQ(make(options).NumUntimedActions(), std::ssize(actions_of(options))) << hz << chunk;
    }
  }
  for (const char* wire : {"roboarena", "vllm-omni"}) {
    request = ReadBy(wire, SampleObservation());
    EXPECT_EQ(actions_of({.action_hz = 20, .chunk = 3}).size(), 3u) << wire;
  }
  request = ReadBy("openpi", SampleObservation());
  EXPECT_EQ(actions_of({.action_hz = 20, .chunk = 1}).size(), 2u);
}

// What one of them lacks, or breaks the policy with, is its own.
TEST(PlannerTest, OfRequestsTogetherOneFailsAlone) {
  Gate gate;
  Planner planner({std::make_unique<GatedPolicy>(gate), nullptr}, {});
  PolicyRequest good = ReadBy("openpi", SampleObservation());
  PolicyRequest crash = good, poseless = good, job = good;
  crash.prompt = "crash";
  poseless.pose.reset();
  job.job = "i2v";
  const std::vector<PlanOutcome> outcomes = planner.MakePlans({{&poseless, {.seed = 1}},
                                                               {&good, {.seed = 2}},
                                                               {&crash, {.seed = 3}},
                                                               {&job, {.seed = 4}},
                                                               {&good, {.seed = 5}}});
  const auto rethrow = [&](size_t i) { std::rethrow_exception(outcomes[i].error); };
  ExpectThrowsWith<InputError>([&] { rethrow(0); }, {"observation/gripper_pose"});
  EXPECT_THROW(rethrow(2), std::runtime_error);
  ExpectThrowsWith<InputError>([&] { rethrow(3); }, {"job is \"i2v\""});
  for (const size_t i : {1u, 4u}) {
    ASSERT_FALSE(outcomes[i].error);
    EXPECT_EQ(outcomes[i].reply.actions.at(0).world_from_tool.translation.x(),
              static_cast<double>(i + 1));
  }
}

}  // namespace
}  // namespace aim
