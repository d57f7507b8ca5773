#include "serve/service.h"

#include <gmock/gmock.h>

#include "aim/base/log.h"
#include "serve/gated_policy.h"
#include "wire/sample_messages.h"

namespace aim {
namespace {

using ::testing::ElementsAre;
using testing::Gate;
using testing::GatedPolicy;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::SampleObservation;
using testing::With;

// Frames that were sent to one client, in order. What is sent once it is gone goes nowhere.
class Inbox {
 public:
  Service::Send send() {
    return [state = state_](WireFrame frame) {
      const std::lock_guard lock(state->mutex);
      state->frames.push_back(std::move(frame));
      state->changed.notify_all();
    };
  }
  WireFrame Wait(size_t index) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->frames.size() > index; });
    return state_->frames[index];
  }
  MsgpackValue WaitMap(size_t index) { return ParseMsgpack(Wait(index).bytes, "frame"); }
  size_t count() {
    const std::lock_guard lock(state_->mutex);
    return state_->frames.size();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<WireFrame> frames;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

MsgpackValue PosesValue(int num_frames) {
  std::vector<double> rows;
  for (int frame = 0; frame < num_frames; ++frame) {
    for (const double number : {0.1 * frame, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0}) {
      rows.push_back(number);
    }
  }
  return NumpyArray({num_frames, 8}, std::span<const double>(rows));
}

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

  static std::unique_ptr<Planner> MakePlanner(Gate& gate) {
    return std::make_unique<Planner>(
        ServedModel{std::make_unique<GatedPolicy>(gate), std::make_unique<testing::CountingJobs>()},
        ViewOptions());
  }

  Gate gate_;
  Service service_{
      MakePlanner(gate_),
      {.policy_name = "gated", .seed = 5, .max_waiting = 2, .max_waiting_bytes = 100'000}};
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
  EXPECT_EQ(gate_.prompts().size(), 1u);  // the second from the first one's plan
  EXPECT_EQ(service_.Report().repeated, 1);
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

// What waits while a plan is made is planned together, so many at most, each for itself.
TEST_F(ServiceTest, PlansThatWaitAreMadeTogether) {
  Gate gate;
  Service service(MakePlanner(gate), {.policy_name = "gated", .seed = 5, .max_batch = 3});
  gate.Close();
  std::vector<Inbox> inboxes(5);
  std::vector<uint64_t> clients;
  for (size_t i = 0; i < inboxes.size(); ++i) {
    clients.push_back(service.Open(FindWire("openpi"), inboxes[i].send()));
    MsgpackValue::Map ask =
        With(Ask(i == 2 ? "crash" : "go", "r"), "seed", static_cast<int64_t>(i));
    if (i == 3) ask = With(With(ask, "job", "a2v"), "poses", PosesValue(3));
    service.Receive(clients.back(), ToMsgpack(ask), false);
    if (i == 0) gate.WaitForPlans(1);
  }
  gate.Open();
  for (const size_t i : {0u, 1u, 4u})
    EXPECT_EQ(AskedWith(inboxes[i].WaitMap(1)).first, static_cast<double>(i));
  EXPECT_EQ(CodeOf(inboxes[2].WaitMap(1)), "internal");
  EXPECT_NE(Find(inboxes[3].WaitMap(1), "video/front"), nullptr);
  service.Stop();
  // The first alone; of the three next two plans, the job after them; the last.
  EXPECT_THAT(gate.batches(), ElementsAre(1, 2, 1));
  EXPECT_EQ(service.Report().batches, 4);
  EXPECT_EQ(service.Report().plans, 4);
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

// Several clients together do not fill the memory; one alone may ask with what is larger.
TEST_F(ServiceTest, WaitingRequestsHaveOneBoundTogether) {
  gate_.Close();
  const MsgpackValue::Map large =
      With(With(SampleObservation(200), "prompt", "large"), "request_id", "r1");
  Send(Open(inbox_), large);
  gate_.WaitForPlans(1);
  Inbox other;
  const uint64_t client = Open(other);
  Send(client, Ask("small", "r2"));
  EXPECT_EQ(CodeOf(other.WaitMap(1)), "busy");
  EXPECT_THAT(other.Wait(1).bytes, HasSubstr("expected at most 100000"));
  gate_.Open();
  EXPECT_EQ(CodeOf(inbox_.WaitMap(1)), "");
  Send(client, Ask("small", "r2"));
  EXPECT_EQ(CodeOf(other.WaitMap(2)), "");
}

// A video [T, 16, 16, 3] in place of a view's picture.
MsgpackValue::Map WithVideo(MsgpackValue::Map map, const std::string& name, int num_frames) {
  const std::vector<uint8_t> rgb(static_cast<size_t>(num_frames) * 768, 3);
  return With(std::move(map), "observation/image/" + name,
              NumpyArray({num_frames, 16, 16, 3}, std::span<const uint8_t>(rgb)));
}

TEST_F(ServiceTest, JobsAnswerWithWhatTheyMake) {
  const uint64_t client = Open(inbox_);
  EXPECT_EQ(Find(inbox_.WaitMap(0), "jobs")->As<MsgpackValue::List>()->size(), 4u);
  Send(client, With(With(Ask("go", "r1"), "job", "a2v"), "poses", PosesValue(3)));
  const MsgpackValue simulated = inbox_.WaitMap(1);
  const auto video = NumpyArrayOf(*Find(simulated, "video/front"), "video");
  ASSERT_TRUE(video);
  EXPECT_EQ(video->shape, (std::vector<int64_t>{3, 16, 16, 3}));
  EXPECT_EQ(static_cast<int>(video->bytes[0]), 3) << "the poses that it was made from";
  EXPECT_NE(Find(simulated, "video/side"), nullptr);
  EXPECT_EQ(Find(simulated, "poses"), nullptr);

  Send(client, WithVideo(WithVideo(With(Ask("go", "r2"), "job", "v2a"), "front", 3), "side", 3));
  const MsgpackValue labelled = inbox_.WaitMap(2);
  EXPECT_EQ(FiniteNumbersOf(*Find(labelled, "poses"), 24, "poses")[16], 2);
  EXPECT_EQ(Find(labelled, "actions"), nullptr);
  EXPECT_EQ(Find(labelled, "video/front"), nullptr);

  Send(client, With(With(Ask("go", "r3"), "job", "i2va"), "seed", 9));
  const MsgpackValue acted = inbox_.WaitMap(3);
  EXPECT_EQ(FiniteNumbersOf(*Find(acted, "actions"), 16, "actions")[8], 2);
  EXPECT_NE(Find(acted, "video/front"), nullptr);
  // None of them was a step of the trial.
  Send(client, Ask("go", "r4"));
  EXPECT_EQ(AskedWith(inbox_.WaitMap(4)), std::pair(5.0, 0.0));
}

// A client that takes one action at a time gets those of one plan before the next is made; a new
// episode has its own, and no late answer to a question of the one before.
TEST_F(ServiceTest, ActionsAreGivenOutOneByOne) {
  const uint64_t client = service_.Open(FindWire("vla-eval"), inbox_.send());
  EXPECT_EQ(inbox_.count(), 0u);
  const auto send = [&](const char* type, int sequence) {
    MsgpackValue::Map message = With(testing::VlaEvalObservation(), "seq", sequence);
    Send(client, With(message, "type", type));
  };
  const auto action_x = [&](size_t index) {
    const MsgpackValue map = inbox_.WaitMap(index);
    return FiniteNumbersOf(*Find(*Find(map, "payload"), "actions"), 7, "actions")[0];
  };
  send("hello", 1);
  send("episode_start", 2);
  for (int sequence = 3; sequence < 6; ++sequence) {
    send("observation", sequence);
    inbox_.Wait(static_cast<size_t>(sequence) - 2);
  }
  EXPECT_EQ(action_x(1), 5) << "the seed";
  EXPECT_EQ(action_x(2), 0) << "the count of plans";
  EXPECT_EQ(action_x(3), 5) << "a new plan";
  EXPECT_EQ(gate_.prompts().size(), 2u);
  gate_.Close();
  send("observation", 6);  // the second action of that plan
  send("observation", 7);
  gate_.WaitForPlans(3);
  send("episode_start", 8);
  send("observation", 9);
  gate_.Open();
  EXPECT_EQ(action_x(4), 1);
  EXPECT_EQ(action_x(5), 5);
  EXPECT_EQ(*Find(inbox_.WaitMap(5), "seq")->As<int64_t>(), 9);
}

struct BadJob {
  const char* name;
  MsgpackValue::Map message;
  std::vector<std::string> words;
};

TEST_F(ServiceTest, JobsAreRefusedInWords) {
  const MsgpackValue::Map ask = Ask("go", "r");
  const MsgpackValue nil;
  const BadJob cases[] = {
      {"unknown", With(ask, "job", "fly"), {"job is \"fly\"", "i2v, i2va, a2v, v2a"}},
      {"untrained", With(ask, "job", "v1_given"), {"job is \"v1_given\""}},
      {"no_poses", With(ask, "job", "a2v"), {"poses is 0 frames long", "3, for job a2v"}},
      {"few_poses",
       With(With(ask, "job", "a2v"), "poses", PosesValue(2)),
       {"poses is 2 frames long", "repeat the last"}},
      {"poses_for_nothing",
       With(With(ask, "job", "i2v"), "poses", PosesValue(3)),
       {"poses is sent", "job i2v does not start from them"}},
      {"poses_for_a_plan", With(ask, "poses", PosesValue(3)), {"poses is sent", "job a2v"}},
      {"no_video",
       With(ask, "job", "v2a"),
       {"observation/image/front is 1 frame long", "3, for job v2a"}},
      {"long_video",
       WithVideo(WithVideo(With(ask, "job", "v2a"), "front", 4), "side", 4),
       {"observation/image/front is 4 frames long", "aim-label"}},
      {"video_for_a_plan", WithVideo(ask, "front", 3), {"3 frames long", "first picture alone"}},
      {"no_pose",
       With(With(ask, "job", "i2va"), "observation/gripper_pose", nil),
       {"observation/gripper_pose is missing"}},
  };
  const uint64_t client = Open(inbox_);
  size_t index = 0;
  for (const BadJob& bad : cases) {
    Send(client, bad.message);
    const MsgpackValue reply = inbox_.WaitMap(++index);
    EXPECT_EQ(CodeOf(reply), "bad_request") << bad.name;
    for (const std::string& word : bad.words) {
      EXPECT_THAT(*Find(*Find(reply, "error"), "message")->As<std::string>(), HasSubstr(word));
    }
  }
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

}  // namespace
}  // namespace aim
