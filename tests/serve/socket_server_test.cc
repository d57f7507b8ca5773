// The server as its clients meet it: right ones, wrong ones, and those that vanish.
#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/serve/run_serve.h"
#include "aim/wire/api_key.h"
#include "aim/wire/policy_client.h"
#include "serve/gated_policy.h"
#include "serve/raw_socket.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "wire/sample_messages.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::Gate;
using testing::GatedPolicy;
using ::testing::HasSubstr;
using testing::RawSocket;
using testing::SampleObservation;
using ::testing::StartsWith;
using testing::TemporaryFolder;
using testing::With;

constexpr PolicyNeeds kNeeds = {
    .image_size = 16, .frame_period_s = 0.25, .num_views = 2, .num_frames = 3};

// RunServe in a thread of its own, on a port that is free.
class RunningServer {
 public:
  explicit RunningServer(Gate& gate, ServeOptions options = {}, PolicyNeeds needs = kNeeds) {
    options.model.model = "gated";
    if (options.port == 8000) options.port = 0;
    std::promise<int> port;
    ServeParts parts;
    parts.make_policy = [&gate, needs] { return std::make_unique<GatedPolicy>(gate, needs); };
    parts.on_listening = [&port](int number) { port.set_value(number); };
    thread_ = std::thread([this, options, parts] { report_ = RunServe(options, run_, parts); });
    port_ = port.get_future().get();
  }
  ~RunningServer() { Stop(); }

  int port() const { return port_; }
  std::string url() const { return "ws://127.0.0.1:" + std::to_string(port_); }
  void RequestStop() { run_.RequestStop(); }
  ServeReport Stop() {
    run_.RequestStop();
    if (thread_.joinable()) thread_.join();
    return report_;
  }

 private:
  RunContext run_;
  ServeReport report_;
  std::thread thread_;
  int port_ = 0;
};

class SocketServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { SetLogLevel(LogLevel::kOff); }
  static void TearDownTestSuite() { SetLogLevel(LogLevel::kInfo); }

  static std::string Ask(const std::string& id = "") {
    MsgpackValue::Map map = SampleObservation();
    return ToMsgpack(id.empty() ? map : With(map, "request_id", id));
  }
  // A client that asks is answered: the server is well.
  static void ExpectServes(int port) {
    RawSocket client(port);
    ASSERT_THAT(client.Upgrade(), HasSubstr("101"));
    ASSERT_TRUE(client.ReadFrame());
    client.SendBinary(Ask("well"));
    const auto reply = client.ReadFrame();
    ASSERT_TRUE(reply);
    EXPECT_NE(Find(ParseMsgpack(reply->payload, "reply"), "actions"), nullptr);
  }

  Gate gate_;
};

TEST_F(SocketServerTest, AnswersThoseWhoWatch) {
  RunningServer server(gate_);
  ExpectServes(server.port());
  EXPECT_THAT(RawSocket(server.port()).Get("/healthz"),
              ::testing::AllOf(StartsWith("HTTP/1.1 200"), ::testing::EndsWith("\r\n\r\nOK\n")));
  EXPECT_THAT(RawSocket(server.port()).Get("/metrics"), HasSubstr("aim_serve_plans_total 1\n"));
  EXPECT_THAT(RawSocket(server.port()).Get("/"), StartsWith("HTTP/1.1 426"));
  EXPECT_THAT(RawSocket(server.port()).Get("/nowhere"),
              ::testing::AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("/roboarena")));
  EXPECT_THAT(RawSocket(server.port()).Upgrade("/", "Origin: http://evil.example\r\n"),
              HasSubstr("403"));
}

TEST_F(SocketServerTest, AKeyIsAskedForAndCompared) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "key", "0123456789abcdef\n");
  ServeOptions options;
  options.api_key_file = folder / "key";
  RunningServer server(gate_, options);
  const auto upgrade = [&](const std::string& header) {
    return RawSocket(server.port()).Upgrade("/", header);
  };
  EXPECT_THAT(upgrade(""), HasSubstr("401"));
  EXPECT_THAT(upgrade("Authorization: Api-Key 0123456789abcdee\r\n"), HasSubstr("401"));
  EXPECT_THAT(upgrade("Authorization: Api-Key 0123456789abcdef0\r\n"), HasSubstr("401"));
  EXPECT_THAT(upgrade("Authorization: Bearer 0123456789abcdef\r\n"), HasSubstr("401"));
  EXPECT_THAT(upgrade("Authorization: Api-Key 0123456789abcdef\r\n"), HasSubstr("101"));
  EXPECT_THAT(RawSocket(server.port()).Get("/metrics"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(RawSocket(server.port()).Get("/healthz"), StartsWith("HTTP/1.1 200"));
}

TEST(ApiKeyTest, AFileThatHoldsNoKeyIsRefused) {
  const TemporaryFolder folder;
  for (const char* text : {"", "short\n", "two words of a key", "two\nlines of it"}) {
    WriteFileAtomic(folder / "key", text);
    ExpectThrowsWith<InputError>([&] { ReadApiKey(folder / "key"); }, {"key is ", "8 to 1024"});
  }
}

// Every path speaks its wire.
TEST_F(SocketServerTest, PathsAreWires) {
  ServeOptions options;
  options.wire = "vllm-omni";
  RunningServer server(gate_, options);
  const auto greeting = [&](const std::string& path) {
    RawSocket client(server.port());
    EXPECT_THAT(client.Upgrade(path), HasSubstr("101"));
    return ParseMsgpack(client.ReadFrame()->payload, "greeting");
  };
  EXPECT_NE(Find(greeting("/openpi"), "protocol"), nullptr);
  EXPECT_EQ(greeting("/roboarena").As<MsgpackValue::Map>()->size(), 6u);
  EXPECT_NE(Find(greeting("/"), "action_dim"), nullptr);
  EXPECT_NE(Find(greeting("/v1/realtime/robot/openpi?model=x"), "action_dim"), nullptr);
}

// What breaks a frame, a message or a limit ends that connection alone.
TEST_F(SocketServerTest, BrokenClientsAreEndedAndOthersServed) {
  RunningServer server(gate_);
  struct Broken {
    std::string bytes;
    int code;  // of the close; 0 = any end
  };
  const Broken cases[] = {
      {RawSocket::FrameHead(2, 7) + "rubbish", 1011},
      {RawSocket::FrameHead(2, uint64_t{1} << 30) + "abc", 1009},
      {RawSocket::FrameHead(2, uint64_t{1} << 62) + "abc", 1009},
      {RawSocket::FrameHead(2, 3, false) + "abc", 1002},  // not masked
      {RawSocket::FrameHead(3, 3) + "abc", 1002},         // a reserved opcode
      {RawSocket::FrameHead(1, 5) + "text!", 1011},
      {RawSocket::FrameHead(1, 2) + "\xff\xff", 1007},  // text that is no UTF-8
      {std::string(100, '\xff'), 1002},
  };
  for (const Broken& broken : cases) {
    RawSocket client(server.port());
    ASSERT_THAT(client.Upgrade(), HasSubstr("101"));
    ASSERT_TRUE(client.ReadFrame());
    client.SendBytes(broken.bytes);
    std::optional<RawSocket::Frame> last;
    while (const auto frame = client.ReadFrame()) {
      last = frame;
      if (frame->opcode == 8) break;
    }
    ASSERT_TRUE(last);
    EXPECT_EQ(last->code(), broken.code) << broken.bytes.substr(0, 12);
  }
  EXPECT_EQ(RawSocket(server.port()).Get("/healthz HTTP/1.1\r\nbroken"), "");
  ExpectServes(server.port());
}

TEST_F(SocketServerTest, AClientKilledWhileItIsPlannedForHarmsNobody) {
  RunningServer server(gate_);
  gate_.Close();
  RawSocket client(server.port());
  client.Upgrade();
  client.ReadFrame();
  client.SendBinary(Ask());
  gate_.WaitForPlans(1);
  client.Kill();
  gate_.Open();
  ExpectServes(server.port());
}

// Half-open: nothing comes any more, pings among it.
TEST_F(SocketServerTest, ASilentClientIsEnded) {
  ServeOptions options;
  options.limits.idle_s = 0.4;
  RunningServer server(gate_, options);
  RawSocket client(server.port());
  client.Upgrade();
  client.ReadFrame();
  EXPECT_EQ(client.ReadFrame(), std::nullopt) << "pings are not answered here";
  ExpectServes(server.port());
}

TEST_F(SocketServerTest, AMessageThatNeverEndsIsGivenUp) {
  ServeOptions options;
  options.limits.read_s = 0.3;
  RunningServer server(gate_, options);
  RawSocket client(server.port());
  client.Upgrade();
  client.ReadFrame();
  client.SendBytes(RawSocket::FrameHead(2, 1000) + "the beginning");
  EXPECT_EQ(client.ReadFrame(), std::nullopt);
  RawSocket never_asks(server.port());
  never_asks.SendBytes("GET / HT");
  EXPECT_EQ(never_asks.ReadAll(), "");
  ExpectServes(server.port());
}

// A reply larger than what systems keep for a client that does not read.
TEST_F(SocketServerTest, AClientThatDoesNotReadIsEnded) {
  ServeOptions options;
  options.limits.write_s = 0.3;
  PolicyNeeds needs = kNeeds;
  needs.num_frames = 200'000;
  RunningServer server(gate_, options, needs);
  RawSocket client(server.port(), 4096);
  client.Upgrade();
  client.ReadFrame();
  client.SendBinary(Ask("a"));
  gate_.WaitForPlans(1);
  while (RawSocket(server.port()).Get("/metrics").find("aim_serve_clients 0\n") ==
         std::string::npos) {
  }
  EXPECT_EQ(server.Stop().plans, 1);
}

TEST_F(SocketServerTest, MoreClientsThanPlacesAreTurnedAway) {
  ServeOptions options;
  options.limits.clients = 1;
  RunningServer server(gate_, options);
  {
    RawSocket first(server.port());
    EXPECT_THAT(first.Upgrade(), HasSubstr("101"));
    EXPECT_THAT(RawSocket(server.port()).Upgrade(), HasSubstr("503"));
  }
}

// The plan under way arrives, then the server says that it goes.
TEST_F(SocketServerTest, StoppingAnswersWhatWasAccepted) {
  RunningServer server(gate_);
  gate_.Close();
  RawSocket client(server.port());
  client.Upgrade();
  client.ReadFrame();
  client.SendBinary(Ask("r1"));
  gate_.WaitForPlans(1);
  server.RequestStop();
  client.SendBinary(Ask("r2"));
  gate_.Open();
  bool planned = false;
  while (const auto frame = client.ReadFrame()) {
    if (frame->opcode == 8) {
      EXPECT_EQ(frame->code(), 1001);
      client.SendBytes(RawSocket::FrameHead(8, 0));
      client.Kill();
      break;
    }
    const MsgpackValue map = ParseMsgpack(frame->payload, "reply");
    planned |=
        *Find(map, "request_id")->As<std::string>() == "r1" && Find(map, "actions") != nullptr;
  }
  EXPECT_TRUE(planned);
  EXPECT_GE(server.Stop().plans, 1);
}

TEST_F(SocketServerTest, APortThatIsTakenIsSaid) {
  RunningServer server(gate_);
  ServeOptions options;
  options.port = server.port();
  RunContext run;
  ServeParts parts;
  parts.make_policy = [&] { return std::make_unique<GatedPolicy>(gate_); };
  ExpectThrowsWith<ConfigError>([&] { RunServe(options, run, parts); },
                                {"--port is", "listens already", "choose another"});
}

// What a policy sees, as an environment gives it.
Clip SeenByClient() {
  Rng rng(5);
  Clip clip;
  clip.width = clip.height = 16;
  clip.fps = 4;
  clip.prompt = "go";
  for (const Camera& camera : testing::MakeCameraRig({.num_views = 2, .size_px = 16}, rng)) {
    clip.views.push_back(
        {.camera = {"", {camera}}, .num_frames = 1, .rgb = std::vector<uint8_t>(768, 9)});
  }
  clip.poses = {testing::RandomToolPose(rng)};
  return clip;
}

// The same policy here and there.
TEST_F(SocketServerTest, APolicyClientPlansAsThePolicyItself) {
  RunningServer server(gate_);
  PolicyClient client({.url = server.url()});
  EXPECT_EQ(client.Needs().image_size, 16);
  EXPECT_EQ(client.Needs().frame_period_s, 0.25);
  EXPECT_EQ(client.Needs().num_views, 2);
  EXPECT_EQ(client.Needs().num_frames, 3);
  const Clip seen = SeenByClient();
  const PlanRequest request = {.seed = 41, .replan = 2};
  client.Reset(41);
  const Plan there = client.Act(seen, request);
  const Plan here = GatedPolicy(gate_).Act(seen, request);
  ASSERT_EQ(there.frames.size(), here.frames.size());
  EXPECT_EQ(there.period_s, here.period_s);
  for (size_t k = 0; k < here.frames.size(); ++k) {
    EXPECT_THAT(there.frames[k].pose.world_from_tool,
                testing::RigidNear(here.frames[k].pose.world_from_tool, 1e-12, 1e-7));
    EXPECT_EQ(there.frames[k].confidence, here.frames[k].confidence);
    EXPECT_EQ(there.frames[k].decodable, here.frames[k].decodable);
  }
}

// A server that ends and comes again is found again.
TEST_F(SocketServerTest, APolicyClientConnectsAgain) {
  auto server = std::make_unique<RunningServer>(gate_);
  PolicyClient client({.url = server->url()});
  EXPECT_EQ(client.Act(SeenByClient(), {}).frames.size(), 3u);
  ServeOptions options;
  options.port = server->port();
  server->Stop();
  RunningServer again(gate_, options);
  EXPECT_EQ(client.Act(SeenByClient(), {}).frames.size(), 3u);
}

TEST_F(SocketServerTest, APolicyClientSaysWhatIsWrong) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "key", "0123456789abcdef\n");
  ServeOptions options;
  options.api_key_file = folder / "key";
  std::string url;
  {
    RunningServer server(gate_, options);
    url = server.url();
    ExpectThrowsWith<IoError>([&] { PolicyClient({.url = url}); }, {url, "401"});
    ExpectThrowsWith<FormatError>(
        [&] { PolicyClient({.url = url + "/roboarena", .api_key = "0123456789abcdef"}); },
        {"without protocol aim-policy"});
    PolicyClient client({.url = url, .api_key = "0123456789abcdef", .max_retries = 0});
    Clip seen = SeenByClient();
    for (ClipView& view : seen.views) view.camera.frames[0].cx = 1e4;
    ExpectThrowsWith<InputError>([&] { client.Act(seen, {}); }, {url, "principal point"});
    seen = SeenByClient();
    seen.prompt = "crash";
    ExpectThrowsWith<IoError>([&] { client.Act(seen, {}); }, {url, "the plan failed"});
  }
  ExpectThrowsWith<IoError>([&] { PolicyClient({.url = url}); }, {url, "not reached", "aim-serve"});
  for (const char* bad : {"", "localhost:8000", "ws://localhost", "wss://localhost:8000",
                          "ws://:8000", "ws://localhost:port"}) {
    ExpectThrowsWith<ConfigError>([&] { PolicyClient({.url = bad}); }, {"ws://HOST:PORT"});
  }
}

}  // namespace
}  // namespace aim
