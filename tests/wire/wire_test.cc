#include "aim/wire/wire.h"

#include <gmock/gmock.h>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/matchers.h"
#include "support/throws.h"
#include "wire/sample_messages.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::NumbersValue;
using testing::PictureValue;
using testing::ReadBy;
using testing::RigidNear;
using testing::SampleObservation;
using testing::With;

// "81 a1 78" and "quoted text" to bytes.
std::string Unhex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text[i] == '"') {
      const size_t end = text.find('"', i + 1);
      bytes += text.substr(i + 1, end - i - 1);
      i = end;
    } else {
      bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
      ++i;
    }
  }
  return bytes;
}

// A plan of one action, at (1, 2, 3) without rotation, gripper half open.
PolicyReply OneAction() {
  PolicyReply reply;
  reply.plan =
      PlanFromPoses({ToolPose{}, ToolPose{{Eigen::Quaterniond::Identity(), {1, 2, 3}}, 0.5}}, 0.25);
  reply.actions = {reply.plan.frames[1].pose};
  return reply;
}

const ServedPolicy kPolicy = {.name = "",
                              .num_views = 1,
                              .image_width = 224,
                              .image_height = 224,
                              .num_actions = 8,
                              .period_s = 0.125,
                              .max_message_bytes = 1000};

// docs/reference/formats.md 4.1: bytes of openpi-client 0.1.2.
TEST(NumpyArrayTest, AreTheBytesThatOpenpiWrites) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  const std::vector<float> floats = {0.5f};
  EXPECT_EQ(
      ToMsgpack(MsgpackValue::Map{{"x", NumpyArray({1, 3}, std::span<const uint8_t>(bytes))}}),
      Unhex("81 a1 78 84 c4 0b 5f 5f 6e 64 61 72 72 61 79 5f 5f c3 c4 04 64 61 74 61 c4 03 "
            "01 02 03 c4 05 64 74 79 70 65 a3 7c 75 31 c4 05 73 68 61 70 65 92 01 03"));
  EXPECT_EQ(ToMsgpack(MsgpackValue::Map{{"a", NumpyArray({1}, std::span<const float>(floats))}}),
            Unhex("81 a1 61 84 c4 0b 5f 5f 6e 64 61 72 72 61 79 5f 5f c3 c4 04 64 61 74 61 c4 04 "
                  "00 00 00 3f c4 05 64 74 79 70 65 a3 3c 66 34 c4 05 73 68 61 70 65 91 01"));
}

// Text keys, as vla-eval and vLLM-Omni's clients may write them, and plain lists are read too.
TEST(NumpyArrayTest, KeysOfTextAndListsAreRead) {
  const std::string text_keys = Unhex(
      "84 ab\"__ndarray__\" c3 a4\"data\" c404 0000003f a5\"dtype\" a3\"<f4\" a5\"shape\" 91 01");
  const MsgpackValue value = ParseMsgpack(text_keys, "message");
  EXPECT_EQ(FiniteNumbersOf(value, 1, "value"), std::vector<double>{0.5});
  const MsgpackValue list = MsgpackValue::List{1, 2.5, MsgpackValue::List{-3}};
  EXPECT_EQ(FiniteNumbersOf(list, 3, "value"), (std::vector<double>{1, 2.5, -3}));
  const MsgpackValue scalar =
      MsgpackValue::Map{{"__npgeneric__", true, true}, {"data", 7, true}, {"dtype", "<i8", true}};
  EXPECT_EQ(WholeNumberOf(scalar, 10, "value"), 7u);
}

TEST(OpenpiWireTest, ReadsAWholeObservation) {
  MsgpackValue::Map map = SampleObservation();
  map = With(map, "request_id", "r1");
  map = With(map, "episode_id", "e1");
  map = With(map, "seed", 12);
  map = With(map, "step", 3);
  map = With(map, "observation/joint_position", NumbersValue({1, 2, 3}));
  map = With(map, "unknown", MsgpackValue::List{1, 2});
  const PolicyRequest request = ReadBy("openpi", map);
  EXPECT_EQ(request.kind, RequestKind::kPlan);
  EXPECT_EQ(request.request_id, "r1");
  EXPECT_EQ(request.episode_id, "e1");
  EXPECT_EQ(request.seed, 12u);
  EXPECT_EQ(request.replan, 3);
  EXPECT_EQ(request.prompt, "reach the red ball");
  ASSERT_EQ(request.pictures.size(), 2u);
  Rng rng(5);
  const std::vector<Camera> rig = testing::MakeCameraRig({.num_views = 2, .size_px = 16}, rng);
  for (size_t view = 0; view < 2; ++view) {
    const SentPicture& picture = request.pictures[view];
    EXPECT_EQ(picture.name, view == 0 ? "front" : "side");
    EXPECT_EQ(picture.rgb, std::vector<uint8_t>(16 * 16 * 3, static_cast<uint8_t>(100 + view)));
    ASSERT_TRUE(picture.camera);
    EXPECT_EQ(picture.camera->fx, rig[view].fx);
    EXPECT_THAT(picture.camera->world_from_camera,
                RigidNear(rig[view].world_from_camera, 1e-12, 1e-9));
  }
  ASSERT_TRUE(request.pose);
  const ToolPose pose = testing::RandomToolPose(rng);
  EXPECT_THAT(request.pose->world_from_tool, RigidNear(pose.world_from_tool, 1e-12, 1e-9));
  EXPECT_EQ(request.pose->gripper_open, pose.gripper_open);
}

// The same camera in RLBench's axes is the same camera.
TEST(OpenpiWireTest, RlbenchConventionGivesTheSameCamera) {
  MsgpackValue::Map map = SampleObservation();
  const Camera expected = *ReadBy("openpi", map).pictures[0].camera;
  map = With(map, "camera_convention", "rlbench");
  for (const SentPicture& picture : ReadBy("openpi", SampleObservation()).pictures) {
    const RlbenchCamera camera = ToRlbench(*picture.camera);
    map = With(map, "camera/" + picture.name + "/intrinsics", NumpyMatrix(camera.intrinsics));
    map = With(map, "camera/" + picture.name + "/extrinsics_c2w",
               NumpyMatrix(camera.world_from_camera));
  }
  const Camera read = *ReadBy("openpi", map).pictures[0].camera;
  EXPECT_NEAR(read.fx, expected.fx, 1e-9);
  EXPECT_THAT(read.world_from_camera, RigidNear(expected.world_from_camera, 1e-12, 1e-9));
}

// What a client of openpi itself sends: pictures without a camera, no ids.
TEST(OpenpiWireTest, APlainClientsKeysAreEnough) {
  const PolicyRequest request =
      ReadBy("openpi", MsgpackValue::Map{{"observation/exterior_image_1_left", PictureValue(4, 6)},
                                         {"observation/image", PictureValue(4, 6)},
                                         {"observation/joint_position", NumbersValue({0, 0, 0})},
                                         {"prompt", "go"}});
  ASSERT_EQ(request.pictures.size(), 2u);
  EXPECT_EQ(request.pictures[0].name, "exterior_image_1_left");
  EXPECT_EQ(request.pictures[0].width, 6);
  EXPECT_EQ(request.pictures[1].name, "image");
  EXPECT_FALSE(request.pictures[0].camera);
  EXPECT_FALSE(request.pose);
  EXPECT_FALSE(request.seed);
}

MsgpackValue VideoValue(int num_frames, int height, int width) {
  const std::vector<uint8_t> rgb(static_cast<size_t>(num_frames * height * width * 3), 7);
  return NumpyArray({num_frames, height, width, 3}, std::span<const uint8_t>(rgb));
}

// What jobs start from beside first pictures: videos, and a pose for each frame.
TEST(OpenpiWireTest, ReadsTheVideosAndPosesOfAJob) {
  MsgpackValue::Map map = With(SampleObservation(), "job", "a2v");
  map = With(map, "observation/image/front", VideoValue(5, 4, 6));
  const std::vector<double> rows = {1, 2, 3, 0, 0, 0, 1, 0.5, 4, 5, 6, 0, 0, 0, 1, 0};
  map = With(map, "poses", NumpyArray({2, 8}, std::span<const double>(rows)));
  map = With(map, "camera/front/intrinsics", MsgpackValue());
  map = With(map, "camera/front/extrinsics_c2w", MsgpackValue());
  const PolicyRequest request = ReadBy("openpi", map);
  EXPECT_EQ(request.job, "a2v");
  const SentPicture& video = request.pictures.back();
  EXPECT_EQ(video.name, "front");
  EXPECT_EQ(video.num_frames, 5);
  EXPECT_EQ(video.height, 4);
  EXPECT_EQ(video.width, 6);
  EXPECT_EQ(video.rgb.size(), 5u * 4 * 6 * 3);
  EXPECT_EQ(request.pictures.front().num_frames, 1);
  ASSERT_EQ(request.poses.size(), 2u);
  EXPECT_EQ(request.poses[1].world_from_tool.translation, Eigen::Vector3d(4, 5, 6));
  EXPECT_EQ(request.poses[0].gripper_open, 0.5);
}

// All frames of a job have their row, the first too; its videos come with their cameras.
TEST(OpenpiWireTest, AnswersAJobWithVideosAndPoses) {
  PolicyReply reply = OneAction();
  reply.job = "i2va";
  reply.videos = {{.name = "front",
                   .width = 6,
                   .height = 4,
                   .num_frames = 2,
                   .rgb = std::vector<uint8_t>(2 * 4 * 6 * 3, 9),
                   .camera = testing::CameraAtOrigin(8)}};
  const MsgpackValue map = ParseMsgpack(FindWire("openpi").answer({}, reply).bytes, "reply");
  EXPECT_EQ(*Find(map, "job")->As<std::string>(), "i2va");
  const auto video = NumpyArrayOf(*Find(map, "video/front"), "video");
  EXPECT_EQ(video->shape, (std::vector<int64_t>{2, 4, 6, 3}));
  EXPECT_EQ(FiniteNumbersOf(*Find(map, "camera/front/intrinsics"), 9, "k")[0],
            testing::CameraAtOrigin(8).fx);
  EXPECT_EQ(FiniteNumbersOf(*Find(map, "poses"), 16, "poses")[8], 1);
  EXPECT_EQ(FiniteNumbersOf(*Find(map, "confidence"), 2, "confidence").size(), 2u);
  EXPECT_EQ(FiniteNumbersOf(*Find(map, "actions"), 8, "actions")[0], 1);
  reply.plan = {};
  reply.actions = {};
  const MsgpackValue imagined = ParseMsgpack(FindWire("openpi").answer({}, reply).bytes, "reply");
  EXPECT_EQ(Find(imagined, "poses"), nullptr);
  EXPECT_NE(Find(imagined, "video/front"), nullptr);
}

TEST(ServedPolicyTest, IsToldApartInWords) {
  ServedPolicy served = kPolicy;
  served.name = "tiny";
  EXPECT_EQ(IdentityOf(served), "\"tiny\" (1 view of 224x224, 8 actions of 0.125 s)");
  served.fingerprint = "0f3c";
  EXPECT_THAT(IdentityOf(served), ::testing::HasSubstr("(fingerprint 0f3c, 1 view"));
}

TEST(OpenpiWireTest, OpsAreKinds) {
  const auto kind = [](const char* op) {
    return ReadBy("openpi", MsgpackValue::Map{{"op", op}, {"seed", 5}, {"episode_id", "e"}}).kind;
  };
  EXPECT_EQ(kind("reset"), RequestKind::kReset);
  EXPECT_EQ(kind("ping"), RequestKind::kPing);
  EXPECT_EQ(kind("bye"), RequestKind::kGoodbye);
}

TEST(OpenpiWireTest, AnswersWithActionsFirst) {
  PolicyRequest request;
  request.request_id = "r1";
  const WireFrame frame = FindWire("openpi").answer(request, OneAction());
  EXPECT_FALSE(frame.is_text || frame.closes);
  const MsgpackValue map = ParseMsgpack(frame.bytes, "reply");
  EXPECT_EQ(map.As<MsgpackValue::Map>()->front().key, "actions");
  EXPECT_EQ(FiniteNumbersOf(*Find(map, "actions"), 8, "actions"),
            (std::vector<double>{1, 2, 3, 0, 0, 0, 1, 0.5}));
  EXPECT_EQ(FiniteNumbersOf(*Find(map, "confidence"), 1, "confidence"), std::vector<double>{1});
  EXPECT_EQ(*Find(map, "request_id")->As<std::string>(), "r1");
  EXPECT_EQ(Find(map, "episode_id"), nullptr);
}

// A client that sent an id gets a map, another one what openpi's own server sends.
TEST(OpenpiWireTest, RefusesInTheClientsForm) {
  const PolicyFault fault = {.code = FaultCode::kBusy, .message = "too many"};
  const Wire& wire = FindWire("openpi");
  const WireFrame text = wire.refuse({}, fault);
  EXPECT_TRUE(text.is_text && text.closes);
  EXPECT_EQ(text.bytes, "busy: too many");
  PolicyRequest request;
  request.request_id = "r1";
  const WireFrame map = wire.refuse(request, fault);
  EXPECT_FALSE(map.is_text || map.closes);
  const MsgpackValue error = *Find(ParseMsgpack(map.bytes, "reply"), "error");
  EXPECT_EQ(*Find(error, "code")->As<std::string>(), "busy");
  EXPECT_EQ(*Find(error, "retryable")->As<bool>(), true);
}

// RoboArena 6fa329f: its default metadata but for the two values that are ours.
TEST(RoboArenaWireTest, GreetsWithExactlyTheKeysOfItsDataclass) {
  EXPECT_EQ(FindWire("roboarena").greet(kPolicy)->bytes,
            Unhex("86 b0\"image_resolution\" 92 cce0 cce0 b2\"needs_wrist_camera\" c2 "
                  "b2\"n_external_cameras\" 01 b3\"needs_stereo_camera\" c2 b0\"needs_session_id\" "
                  "c2 ac\"action_space\" b2\"cartesian_position\""));
}

TEST(RoboArenaWireTest, ExteriorCamerasAreOrderedByTheirNumbers) {
  const PolicyRequest request = ReadBy(
      "roboarena", MsgpackValue::Map{{"endpoint", "infer"},
                                     {"prompt", "go"},
                                     {"observation/wrist_image_left", PictureValue(2, 2)},
                                     {"observation/exterior_image_2_left", PictureValue(2, 2)},
                                     {"observation/exterior_image_1_left", PictureValue(2, 2)},
                                     {"observation/cartesian_position",
                                      NumbersValue({0.1, 0.2, 0.3, 0.5, -0.4, 0.3})},
                                     {"observation/gripper_position", NumbersValue({0.75})},
                                     {"session_id", "s"}});
  ASSERT_EQ(request.pictures.size(), 3u);
  EXPECT_EQ(request.pictures[0].name, "exterior_image_1_left");
  EXPECT_EQ(request.pictures[1].name, "exterior_image_2_left");
  EXPECT_EQ(request.pictures[2].name, "wrist_image_left");
  EXPECT_EQ(request.episode_id, "s");
  ASSERT_TRUE(request.pose);
  EXPECT_EQ(request.pose->gripper_open, 0.25);
  EXPECT_THAT(
      request.pose->world_from_tool,
      RigidNear(Rigid3d{RotationFromEuler({0.5, -0.4, 0.3}), {0.1, 0.2, 0.3}}, 1e-12, 1e-9));
}

// Poses come back in the form in which they went.
TEST(RoboArenaWireTest, AnswersCartesianPositionsAndClosedness) {
  PolicyReply reply = OneAction();
  reply.actions[0].world_from_tool.rotation = RotationFromEuler({0.5, -0.4, 0.3});
  const MsgpackValue map = ParseMsgpack(FindWire("roboarena").answer({}, reply).bytes, "reply");
  const std::vector<double> row = FiniteNumbersOf(*Find(map, "actions"), 7, "actions");
  const double expected[] = {1, 2, 3, 0.5, -0.4, 0.3, 0.5};
  for (size_t i = 0; i < 7; ++i) EXPECT_NEAR(row[i], expected[i], 1e-6) << i;
}

TEST(RoboArenaWireTest, ResetIsAnsweredInText) {
  const PolicyRequest request =
      ReadBy("roboarena", MsgpackValue::Map{{"endpoint", "reset"}, {"session_id", "s-A"}});
  EXPECT_EQ(request.kind, RequestKind::kReset);
  const std::optional<WireFrame> frame = FindWire("roboarena").acknowledge(request);
  EXPECT_TRUE(frame->is_text && !frame->closes);
  EXPECT_EQ(frame->bytes, "reset successful");
}

// vllm-omni 0.30.0: a bare array, str-keyed errors that leave the socket open.
TEST(VllmOmniWireTest, AnswersABareArray) {
  const Wire& wire = FindWire("vllm-omni");
  const WireFrame frame = wire.answer({}, OneAction());
  const MsgpackValue array = ParseMsgpack(frame.bytes, "reply");
  EXPECT_EQ(frame.bytes.substr(0, 14), Unhex("84 c40b\"__ndarray__\""));
  EXPECT_EQ(FiniteNumbersOf(array, 7, "actions"), (std::vector<double>{1, 2, 3, 0, 0, 0, 0.5}));
  EXPECT_EQ(wire.acknowledge({})->bytes, Unhex("81 a6\"status\" b0\"reset successful\""));
  const WireFrame error = wire.refuse({}, {.code = FaultCode::kBusy, .message = "no"});
  EXPECT_EQ(error.bytes, Unhex("82 a4\"type\" a5\"error\" a7\"message\" a2\"no\""));
  EXPECT_FALSE(error.is_text || error.closes);
}

TEST(WireTest, AnUnknownWireIsNamedWithThoseThatAre) {
  ExpectThrowsWith<ConfigError>([] { FindWire("openp"); }, {"openpi|roboarena|vllm-omni"});
}

// The id of a request that is wrong elsewhere is known, so that the refusal can carry it.
TEST(WireTest, TheIdIsReadBeforeWhatIsWrong) {
  PolicyRequest request;
  const auto message = ToMsgpack(With(With(SampleObservation(), "request_id", "r7"), "prompt", 7));
  EXPECT_THROW(FindWire("openpi").read(message, request), InputError);
  EXPECT_EQ(request.request_id, "r7");
}

}  // namespace
}  // namespace aim
