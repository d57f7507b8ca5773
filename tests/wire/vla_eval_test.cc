// vla-eval's wire; its bytes are those of vla-eval 0.8.0.
#include <gmock/gmock.h>

#include <numeric>

#include "aim/base/error.h"
#include "aim/wire/wire.h"
#include "support/matchers.h"
#include "support/throws.h"
#include "wire/sample_messages.h"
#include "wire/vla_eval_golden.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::NumbersValue;
using testing::ReadBy;
using testing::RigidNear;
using testing::VlaEvalObservation;
using testing::With;

const Wire& TheWire() { return FindWire("vla-eval"); }

MsgpackValue::Map WithPayload(const std::string& key, MsgpackValue value) {
  const MsgpackValue::Map message = VlaEvalObservation();
  return With(message, "payload",
              With(*Find(message, "payload")->As<MsgpackValue::Map>(), key, std::move(value)));
}

TEST(VlaEvalWireTest, ReadsAnObservation) {
  const PolicyRequest request = ReadBy("vla-eval", VlaEvalObservation());
  EXPECT_EQ(request.kind, RequestKind::kPlan);
  EXPECT_EQ(request.sequence, 7u);
  EXPECT_TRUE(request.one_action);
  EXPECT_EQ(request.prompt, "reach the red ball");
  ASSERT_EQ(request.pictures.size(), 2u);
  EXPECT_EQ(request.pictures[0].name, "front");
  EXPECT_EQ(request.pictures[0].width, 16);
  EXPECT_THAT(request.pictures[0].encoded, HasSubstr("PNG"));
  EXPECT_EQ(request.pictures[1].rgb, std::vector<uint8_t>(768, 101));
  EXPECT_TRUE(request.pictures[0].camera && request.pictures[1].camera);
  EXPECT_TRUE(request.pose);
}

// vla-eval's own bytes: a JPEG is left for whoever plans with it, what is raw is a picture at once.
TEST(VlaEvalWireTest, ReadsJpegAndRawPictures) {
  PolicyRequest request;
  TheWire().read(testing::VlaEvalGolden(), request);
  EXPECT_EQ(request.sequence, 9u);
  ASSERT_EQ(request.pictures.size(), 2u);
  EXPECT_EQ(request.pictures[0].width, 16);
  EXPECT_EQ(request.pictures[0].height, 16);
  EXPECT_TRUE(request.pictures[0].encoded.starts_with("\xff\xd8\xff\xe0"));
  EXPECT_TRUE(request.pictures[0].rgb.empty());
  EXPECT_EQ(request.pictures[1].width, 4);
  EXPECT_EQ(request.pictures[1].height, 2);
  std::vector<uint8_t> counted(24);
  std::iota(counted.begin(), counted.end(), uint8_t{0});
  EXPECT_EQ(request.pictures[1].rgb, counted);
  EXPECT_TRUE(request.pictures[1].encoded.empty());
}

// LIBERO's own: the frame that its controller moves goes before that of the hand.
TEST(VlaEvalWireTest, StatesAreThePose) {
  MsgpackValue::Map message = WithPayload("observation/gripper_pose", MsgpackValue());
  message = With(message, "payload",
                 With(*Find(message, "payload")->As<MsgpackValue::Map>(), "states",
                      NumbersValue({1, 2, 3, 0, 0, 0.5, 0.02, -0.02})));
  const PolicyRequest hand = ReadBy("vla-eval", message);
  ASSERT_TRUE(hand.pose);
  EXPECT_THAT(hand.pose->world_from_tool,
              RigidNear(Rigid3d{ExpRotation({0, 0, 0.5}), {1, 2, 3}}, 1e-12, 1e-12));
  EXPECT_DOUBLE_EQ(hand.pose->gripper_open, 0.5);
  message = With(message, "payload",
                 With(*Find(message, "payload")->As<MsgpackValue::Map>(), "controller_states",
                      NumbersValue({4, 5, 6, 0, 0, 0, 0.05, -0.05})));
  const PolicyRequest controller = ReadBy("vla-eval", message);
  EXPECT_EQ(controller.pose->world_from_tool.translation, Eigen::Vector3d(4, 5, 6));
  EXPECT_EQ(controller.pose->gripper_open, 1);
}

// The golden message of an action, but for seven numbers and its time.
TEST(VlaEvalWireTest, AnswersOneActionWithTheNumberOfItsQuestion) {
  PolicyRequest request;
  request.sequence = 3;
  PolicyReply reply;
  reply.actions = {{{ExpRotation({0, 0, 0.5}), {1, 2, 3}}, 1}, {}};
  const std::string bytes = TheWire().answer(request, reply).bytes;
  const MsgpackValue map = ParseMsgpack(bytes, "reply");
  EXPECT_EQ(*Find(map, "type")->As<std::string>(), "action");
  EXPECT_EQ(*Find(map, "seq")->As<int64_t>(), 3);
  EXPECT_NE(Find(map, "timestamp")->As<double>(), nullptr);
  const std::vector<double> row =
      FiniteNumbersOf(*Find(*Find(map, "payload"), "actions"), 7, "actions");
  EXPECT_THAT(row, ::testing::ElementsAre(1, 2, 3, 0, 0, ::testing::DoubleNear(0.5, 1e-6), -1));
  EXPECT_THAT(bytes, HasSubstr("\x84\xab__ndarray__\xc3\xa4"
                               "data\xc4"));
  EXPECT_THAT(bytes, HasSubstr("\xa5"
                               "dtype\xa3<f4\xa5"
                               "shape\x91\x07"));
}

TEST(VlaEvalWireTest, ClientsSpeakFirstAndEpisodesAreNotAnswered) {
  EXPECT_FALSE(TheWire().greet({}));
  const auto read = [](const char* type) {
    return ReadBy(
        "vla-eval",
        MsgpackValue::Map{
            {"type", type}, {"payload", MsgpackValue::Map{}}, {"seq", 1}, {"timestamp", 0.0}});
  };
  const std::optional<WireFrame> hello = TheWire().acknowledge(read("hello"));
  ASSERT_TRUE(hello);
  const MsgpackValue map = ParseMsgpack(hello->bytes, "hello");
  EXPECT_EQ(*Find(map, "type")->As<std::string>(), "hello");
  EXPECT_EQ(*Find(*Find(map, "payload"), "protocol_version")->As<int64_t>(), 1);
  EXPECT_EQ(read("episode_start").kind, RequestKind::kReset);
  EXPECT_FALSE(TheWire().acknowledge(read("episode_start")));
  EXPECT_FALSE(TheWire().acknowledge(read("episode_end")));
  const WireFrame error =
      TheWire().refuse(read("hello"), {.code = FaultCode::kBusy, .message = "no"});
  EXPECT_FALSE(error.is_text || error.closes);
  EXPECT_THAT(error.bytes, HasSubstr("busy: no"));
}

MsgpackValue ImageValue(const char* format, const std::string& bytes) {
  return MsgpackValue::Map{{"__image__", true}, {"format", format}, {"data", MsgpackBin{bytes}}};
}

TEST(VlaEvalWireTest, IsRefusedInWords) {
  const auto refused = [](const MsgpackValue& message, const std::vector<std::string>& words) {
    ExpectThrowsWith<InputError>([&] { ReadBy("vla-eval", message); }, words);
  };
  const auto with_front = [](MsgpackValue front) {
    return WithPayload("images", MsgpackValue::Map{{"front", std::move(front)}});
  };
  refused(With(VlaEvalObservation(), "seq", MsgpackValue()), {"seq is missing"});
  refused(With(VlaEvalObservation(), "type", "fly"), {"type is \"fly\"", "episode_start"});
  refused(With(VlaEvalObservation(), "payload", 7), {"payload is 7"});
  refused(WithPayload("task_description", MsgpackValue()), {"task_description is missing"});
  refused(WithPayload("images", 7), {"images is 7", "a map"});
  refused(with_front(7), {"images/front is 7"});
  refused(with_front(ImageValue("webp", "abc")), {"images/front", "\"webp\"", "\"jpeg\""});
  refused(with_front(ImageValue("png", "abc")), {"images/front", "no PNG"});
  refused(with_front(ImageValue("jpeg", "\xff\xd8\xff")), {"images/front", "no PNG or JPEG"});
  refused(with_front(ImageValue("raw", "abc")), {"images/front", "without dtype"});
  // A file of some bytes whose head says 65536 x 65536.
  std::string huge = EncodePng(1, 1, std::vector<uint8_t>(3));
  huge[17] = huge[21] = 1;
  huge[19] = huge[23] = 0;
  refused(with_front(ImageValue("png", huge)), {"images/front", "16777216 pixels"});
}

}  // namespace
}  // namespace aim
