#include "serve/service.h"

#include <gmock/gmock.h>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "serve/gated_policy.h"
#include "support/throws.h"
#include "wire/sample_messages.h"

namespace aim {
namespace {

using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using testing::Gate;
using testing::GatedPolicy;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::SampleObservation;
using testing::With;

// Frames that were sent to one client, in order.
class Inbox {
 public:
  Service::Send send() {
    return [this](WireFrame frame) {
      const std::lock_guard lock(mutex_);
      frames_.push_back(std::move(frame));
      changed_.notify_all();
    };
  }
  WireFrame Wait(size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return frames_.size() > index; });
    return frames_[index];
  }
  MsgpackValue WaitMap(size_t index) { return ParseMsgpack(Wait(index).bytes, "frame"); }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return frames_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<WireFrame> frames_;
};

class ServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { SetLogLevel(LogLevel::kOff); }
  static void TearDownTestSuite() { SetLogLevel(LogLevel::kInfo); }
  ~ServiceTest() override { gate_.Open(); }

  uint64_t Open(Inbox& inbox) { return service_.Open(FindWire("openpi"), inbox.send()); }
  void Send(uint64_t client, const MsgpackValue& message) {
    service_.Receive(client, ToMsgpack(message), false);
  }
  static MsgpackValue::Map Ask(const std::string& prompt, const std::string& id = "") {
    MsgpackValue::Map map = With(SampleObservation(), "prompt", prompt);
    return id.empty() ? map : With(map, "request_id", id);
  }
  // (seed, replan) that a reply was planned with.
  static std::pair<double, double> AskedWith(const MsgpackValue& reply) {
    const std::vector<double> rows = FiniteNumbersOf(*Find(reply, "actions"), 16, "actions");
    return {rows[0], rows[8]};
  }
  static std::string CodeOf(const MsgpackValue& reply) {
    const MsgpackValue* error = Find(reply, "error");
    return error == nullptr ? "" : *Find(*error, "code")->As<std::string>();
  }

  Gate gate_;
  Service service_{
      std::make_unique<Planner>(std::make_unique<GatedPolicy>(gate_), ViewOptions(), 0),
      {.policy_name = "gated", .seed = 5, .max_waiting = 2}};
  Inbox inbox_;
};

TEST_F(ServiceTest, GreetsWithWhatThePolicyIs) {
  Open(inbox_);
  const MsgpackValue map = inbox_.WaitMap(0);
  EXPECT_EQ(*Find(map, "horizon")->As<int64_t>(), 2);
  EXPECT_EQ(*Find(map, "action_hz")->As<double>(), 4);
  EXPECT_EQ(*Find(map, "policy")->As<std::string>(), "gated");
}

TEST_F(ServiceTest, PlansWithTheSeedAndTheCountOfTheTrial) {
  const uint64_t client = Open(inbox_);
  for (int i = 0; i < 2; ++i) {
    Send(client, Ask("go"));
    inbox_.Wait(static_cast<size_t>(i) + 1);
  }
  Send(client, MsgpackValue::Map{{"op", "reset"}, {"seed", 77}, {"request_id", "r"}});
  Send(client, Ask("go"));
  Send(client, With(With(Ask("go"), "seed", 9), "step", 4));
  EXPECT_EQ(AskedWith(inbox_.WaitMap(1)), std::pair(5.0, 0.0));
  EXPECT_EQ(AskedWith(inbox_.WaitMap(2)), std::pair(5.0, 1.0));
  EXPECT_EQ(*Find(inbox_.WaitMap(3), "status")->As<std::string>(), "reset");
  EXPECT_EQ(AskedWith(inbox_.WaitMap(4)), std::pair(77.0, 0.0));
  EXPECT_EQ(AskedWith(inbox_.WaitMap(5)), std::pair(9.0, 4.0));
  EXPECT_EQ(Find(*Find(inbox_.WaitMap(1), "server_timing"), "prev_total_ms"), nullptr);
  EXPECT_NE(Find(*Find(inbox_.WaitMap(2), "server_timing"), "prev_total_ms"), nullptr);
}

TEST_F(ServiceTest, AnotherEpisodeCountsFromItsBeginning) {
  const uint64_t client = Open(inbox_);
  for (const char* episode : {"a", "a", "b"}) {
    const size_t num_frames = inbox_.count();
    Send(client, With(Ask("go"), "episode_id", episode));
    inbox_.Wait(num_frames);
  }
  EXPECT_EQ(AskedWith(inbox_.WaitMap(1)).second, 0.0);
  EXPECT_EQ(AskedWith(inbox_.WaitMap(2)).second, 1.0);
  EXPECT_EQ(AskedWith(inbox_.WaitMap(3)).second, 0.0);
}

// A client that lost the reply asks again, over another connection, and nothing is planned twice.
TEST_F(ServiceTest, ARepeatedRequestGetsTheStoredAnswer) {
  const uint64_t client = Open(inbox_);
  Send(client, Ask("go", "r1"));
  const MsgpackValue first = inbox_.WaitMap(1);
  service_.Close(client);
  Inbox other;
  const uint64_t again = Open(other);
  Send(again, Ask("go", "r1"));
  EXPECT_EQ(ToMsgpack(*Find(other.WaitMap(1), "actions")), ToMsgpack(*Find(first, "actions")));
  EXPECT_EQ(gate_.prompts().size(), 1u);
  Send(again, Ask("go on", "r1"));  // the id alone is not the request
  other.Wait(2);
  EXPECT_EQ(gate_.prompts().size(), 2u);
  EXPECT_EQ(service_.Report().repeated, 1);
}

TEST_F(ServiceTest, ARequestRepeatedWhileItIsPlannedIsPlannedOnce) {
  gate_.Close();
  const uint64_t client = Open(inbox_);
  Send(client, Ask("go", "r1"));
  gate_.WaitForPlans(1);
  service_.Close(client);
  Inbox other;
  Send(Open(other), Ask("go", "r1"));
  gate_.Open();
  EXPECT_EQ(*Find(other.WaitMap(1), "request_id")->As<std::string>(), "r1");
  EXPECT_EQ(gate_.prompts().size(), 1u);
}

// One client's crowd does not keep another waiting.
TEST_F(ServiceTest, TwoClientsThatSendTheSameAreBothAnswered) {
  gate_.Close();
  Send(Open(inbox_), Ask("go", "r1"));
  gate_.WaitForPlans(1);
  Inbox other;
  Send(Open(other), Ask("go", "r1"));
  gate_.Open();
  EXPECT_NE(Find(inbox_.WaitMap(1), "actions"), nullptr);
  EXPECT_NE(Find(other.WaitMap(1), "actions"), nullptr);
}

// Ids begin anew with a trial, and its first pictures may be those of the one before.
TEST_F(ServiceTest, AnAnswerOfAnotherSeedIsNotRepeated) {
  const uint64_t client = Open(inbox_);
  Send(client, Ask("go", "r1"));
  inbox_.Wait(1);
  Send(client, MsgpackValue::Map{{"op", "reset"}, {"seed", 77}, {"request_id", "reset"}});
  Send(client, Ask("go", "r1"));
  EXPECT_EQ(AskedWith(inbox_.WaitMap(1)).first, 5.0);
  EXPECT_EQ(AskedWith(inbox_.WaitMap(3)).first, 77.0);
}

TEST_F(ServiceTest, ClientsTakeTurns) {
  gate_.Close();
  Inbox second;
  const uint64_t a = Open(inbox_);
  const uint64_t b = Open(second);
  Send(a, Ask("a1"));
  gate_.WaitForPlans(1);
  Send(a, Ask("a2"));
  Send(b, Ask("b1"));
  Send(b, Ask("b2"));
  gate_.Open();
  inbox_.Wait(2);
  second.Wait(2);
  EXPECT_THAT(gate_.prompts(), ElementsAre("a1", "b1", "a2", "b2"));
}

TEST_F(ServiceTest, TooManyWaitingRequestsAreRefused) {
  gate_.Close();
  const uint64_t client = Open(inbox_);
  for (const char* id : {"r1", "r2", "r3"}) Send(client, Ask("go", id));
  EXPECT_EQ(CodeOf(inbox_.WaitMap(1)), "busy");
  EXPECT_EQ(*Find(*Find(inbox_.WaitMap(1), "error"), "retryable")->As<bool>(), true);
  gate_.Open();
  EXPECT_EQ(*Find(inbox_.WaitMap(2), "request_id")->As<std::string>(), "r1");
}

// The plan that was too late is not lost: whoever asks again gets it.
TEST_F(ServiceTest, ALateRequestIsRefusedAndItsPlanKept) {
  gate_.Close();
  const uint64_t client = Open(inbox_);
  Send(client, Ask("go", "r1"));
  gate_.WaitForPlans(1);
  Send(client, Ask("never", "r2"));
  const Service::Clock::time_point now = Service::Clock::now();
  service_.RefuseLate(now + std::chrono::seconds(60));
  EXPECT_EQ(inbox_.count(), 1u);
  service_.RefuseLate(now + std::chrono::seconds(121));
  EXPECT_EQ(CodeOf(inbox_.WaitMap(1)), "deadline");
  EXPECT_EQ(CodeOf(inbox_.WaitMap(2)), "deadline");
  EXPECT_TRUE(service_.IsIdle());
  Send(client, Ask("go", "r1"));
  gate_.Open();
  EXPECT_EQ(CodeOf(inbox_.WaitMap(3)), "");
  EXPECT_THAT(gate_.prompts(), ElementsAre("go"));
}

TEST_F(ServiceTest, AClientThatLeavesIsNotPlannedFor) {
  gate_.Close();
  Inbox leaving;
  const uint64_t client = Open(inbox_);
  const uint64_t gone = Open(leaving);
  Send(client, Ask("a"));
  gate_.WaitForPlans(1);
  Send(gone, Ask("b"));
  Send(client, Ask("c"));
  service_.Close(gone);
  gate_.Open();
  inbox_.Wait(2);
  EXPECT_THAT(gate_.prompts(), ElementsAre("a", "c"));
  EXPECT_EQ(leaving.count(), 1u);
}

// What is wrong with a request, or breaks the policy, is an answer, and the next one is planned.
TEST_F(ServiceTest, ARequestThatFailsEndsNothing) {
  const uint64_t client = Open(inbox_);
  Send(client, With(Ask("go", "r1"), "observation/gripper_pose", MsgpackValue()));
  EXPECT_EQ(CodeOf(inbox_.WaitMap(1)), "bad_request");
  Send(client, Ask("crash", "r2"));
  EXPECT_EQ(CodeOf(inbox_.WaitMap(2)), "internal");
  EXPECT_THAT(inbox_.Wait(2).bytes, Not(HasSubstr("secret")));
  service_.Receive(client, "rubbish", false);
  EXPECT_TRUE(inbox_.Wait(3).is_text && inbox_.Wait(3).closes);
  service_.Receive(client, "text", true);
  EXPECT_THAT(inbox_.Wait(4).bytes, HasSubstr("expected binary msgpack"));
  Send(client, Ask("go", "r3"));
  EXPECT_EQ(CodeOf(inbox_.WaitMap(5)), "");
  const ServeReport report = service_.Report();
  EXPECT_EQ(report.requests, 3);
  EXPECT_EQ(report.plans, 1);
  EXPECT_EQ(report.faults.at(static_cast<size_t>(FaultCode::kBadRequest)), 3);
  EXPECT_THAT(MetricsText(report), HasSubstr("aim_serve_faults_total{code=\"bad_request\"} 3\n"));
}

TEST_F(ServiceTest, DrainingAnswersWhatWasAcceptedAndNothingElse) {
  gate_.Close();
  const uint64_t client = Open(inbox_);
  Send(client, Ask("go", "r1"));
  gate_.WaitForPlans(1);
  service_.Drain();
  EXPECT_FALSE(service_.IsIdle());
  Send(client, Ask("go", "r2"));
  EXPECT_EQ(CodeOf(inbox_.WaitMap(1)), "closing");
  gate_.Open();
  EXPECT_EQ(*Find(inbox_.WaitMap(2), "request_id")->As<std::string>(), "r1");
  service_.Stop();
  EXPECT_TRUE(service_.IsIdle());
}

// The pictures of a request as it came over the wire.
PolicyRequest RequestOf(const MsgpackValue::Map& map) {
  PolicyRequest request;
  FindWire("openpi").read(ToMsgpack(map), request);
  return request;
}

TEST(SeenClipTest, PicturesOfAnotherSizeAreResizedWithTheirCameras) {
  const PolicyRequest request = RequestOf(SampleObservation(32));
  const Clip seen = SeenClip(request, {.image_size = 16}, {});
  ASSERT_EQ(seen.views.size(), 2u);
  EXPECT_EQ(seen.width, 16);
  EXPECT_EQ(seen.views[1].rgb, std::vector<uint8_t>(16 * 16 * 3, 101));
  EXPECT_EQ(seen.views[1].camera.name, "side");
  EXPECT_DOUBLE_EQ(seen.views[1].camera.at(0).fx, request.pictures[1].camera->fx / 2);
}

TEST(SeenClipTest, ViewsAreThoseThatAreAskedForInTheirOrder) {
  const Clip seen = SeenClip(RequestOf(SampleObservation()), {}, {.views = {"side", "front"}});
  EXPECT_EQ(seen.views[0].camera.name, "side");
  EXPECT_EQ(seen.views[1].camera.name, "front");
  ExpectThrowsWith<InputError>(
      [] { SeenClip(RequestOf(SampleObservation()), {}, {.views = {"wrist"}}); },
      {"\"wrist\"", "front, side"});
}

// Of plain clients the server knows the cameras; those that are squeezed only if it is told so.
TEST(SeenClipTest, CamerasOfTheServerServePicturesWithoutCalibration) {
  MsgpackValue::Map map = SampleObservation();
  std::erase_if(map, [](const MsgpackEntry& entry) { return entry.key.starts_with("camera/"); });
  ExpectThrowsWith<InputError>([&] { SeenClip(RequestOf(map), {}, {}); },
                               {"front, side without calibration", "--cameras"});
  ViewOptions options;
  options.cameras = {{"front", {testing::CameraAtOrigin(64)}}};
  const Clip seen = SeenClip(RequestOf(map), {}, options);
  ASSERT_EQ(seen.views.size(), 1u);
  EXPECT_DOUBLE_EQ(seen.views[0].camera.at(0).fx, 16);
  options.cameras[0].frames[0].width = 128;
  ExpectThrowsWith<InputError>([&] { SeenClip(RequestOf(map), {}, options); },
                               {"16x16", "128x64", "--stretched"});
  options.stretched = true;
  const Camera squeezed = SeenClip(RequestOf(map), {}, options).views[0].camera.at(0);
  EXPECT_DOUBLE_EQ(squeezed.fx, 8);
  EXPECT_DOUBLE_EQ(squeezed.fy, 16);
}

TEST(SeenClipTest, APoseIsNeeded) {
  ExpectThrowsWith<InputError>(
      [] {
        SeenClip(RequestOf(With(SampleObservation(), "observation/gripper_pose", MsgpackValue())),
                 {}, {});
      },
      {"observation/gripper_pose is missing"});
}

}  // namespace
}  // namespace aim
