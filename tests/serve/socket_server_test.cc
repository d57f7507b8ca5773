// The server as its clients meet it: right ones, wrong ones, and those that vanish.
#include <gmock/gmock.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/serve/run_serve.h"
#include "aim/wire/api_key.h"
#include "serve/raw_socket.h"
#include "serve/running_server.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "wire/sample_messages.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::Gate;
using testing::GatedPolicy;
using ::testing::HasSubstr;
using testing::kNeeds;
using testing::RawSocket;
using testing::RunningServer;
using testing::SampleObservation;
using ::testing::StartsWith;
using testing::TemporaryFolder;
using testing::With;

class SocketServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { SetLogLevel(LogLevel::kOff); }
  static void TearDownTestSuite() { SetLogLevel(LogLevel::kInfo); }

  static std::string Ask(const std::string& id = "") {
    MsgpackValue::Map map = SampleObservation();
    return ToMsgpack(id.empty() ? map : With(map, "request_id", id));
  }
  // A client that asks is answered.
  static bool Serves(int port) {
    RawSocket client(port);
    if (client.Upgrade().find("101") == std::string::npos || !client.ReadFrame()) return false;
    client.SendBinary(Ask("well"));
    const auto reply = client.ReadFrame();
    return reply && Find(ParseMsgpack(reply->payload, "reply"), "actions") != nullptr;
  }
  static void ExpectServes(int port) { EXPECT_TRUE(Serves(port)); }
  // Where limits are a fraction of a second, a slow machine may be beyond them: until one is.
  static void ExpectServesInTheEnd(int port) {
    int attempts_left = 100;
    while (attempts_left > 0 && !Serves(port)) --attempts_left;
    EXPECT_GT(attempts_left, 0);
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
  options.action_hz = 20;
  RunningServer server(gate_, options);
  const auto greeting = [&](const std::string& path) {
    RawSocket client(server.port());
    EXPECT_THAT(client.Upgrade(path), HasSubstr("101"));
    return ParseMsgpack(client.ReadFrame()->payload, "greeting");
  };
  EXPECT_NE(Find(greeting("/openpi"), "protocol"), nullptr);
  EXPECT_EQ(greeting("/roboarena").As<MsgpackValue::Map>()->size(), 6u);
  EXPECT_NE(Find(greeting("/"), "action_dim"), nullptr);
  EXPECT_EQ(FiniteNumbersOf(*Find(greeting("/"), "action_horizon"), 1, "action_horizon")[0], 10);
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
  ExpectServesInTheEnd(server.port());
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
  ExpectServesInTheEnd(server.port());
}

// Two of these together are more than the server holds for all; each alone is not.
TEST_F(SocketServerTest, MessagesHalfSentHaveOneBoundTogether) {
  ServeOptions options;
  options.limits.waiting_mib = 16;
  RunningServer server(gate_, options);
  RawSocket first(server.port());
  RawSocket second(server.port());
  const size_t whole = size_t{20} << 20;
  const size_t half = size_t{11} << 20;
  for (RawSocket* client : {&first, &second}) {
    client->Upgrade();
    client->ReadFrame();
    client->SendBytes(RawSocket::FrameHead(2, whole) + std::string(half, '\xc1'));
  }
  int refused = 0;
  for (RawSocket* client : {&first, &second}) {
    client->SendBytes(std::string(whole - half, '\xc1'));
    const auto frame = client->ReadFrame();
    if (frame && frame->opcode == 1) ++refused;  // read to its end, and in words
  }
  EXPECT_EQ(refused, 1);
  ExpectServes(server.port());
}

// The time to drain is over; the plan in progress is made all the same.
TEST_F(SocketServerTest, WhoWaitsAtTheEndIsTold) {
  ServeOptions options;
  options.limits.drain_s = 0;
  RunningServer server(gate_, options);
  gate_.Close();
  RawSocket client(server.port());
  client.Upgrade();
  client.ReadFrame();
  client.SendBinary(Ask("r1"));
  gate_.WaitForPlans(1);
  server.RequestStop();
  const auto frame = client.ReadFrame();
  ASSERT_TRUE(frame);
  EXPECT_THAT(frame->payload, HasSubstr("the server ends"));
  gate_.Open();
  EXPECT_EQ(server.Stop().plans, 0);
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
  server.WaitForMetric("aim_serve_clients 0");
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
  parts.make_model = [&] { return ServedModel{std::make_unique<GatedPolicy>(gate_), nullptr}; };
  ExpectThrowsWith<ConfigError>([&] { RunServe(options, run, parts); },
                                {"--port is", "listens already", "choose another"});
}

}  // namespace
}  // namespace aim
