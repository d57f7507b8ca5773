// A policy behind a server, as programs ask it: servers that are busy, end, come back and change.
#include "aim/wire/policy_client.h"

#include <gmock/gmock.h>

#include <future>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "serve/running_server.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "wire/sample_messages.h"
#include "wire/socket_connection.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::Gate;
using testing::GatedPolicy;
using testing::kNeeds;
using testing::RawSocket;
using testing::RunningServer;
using testing::SampleObservation;
using testing::TemporaryFolder;
using testing::With;

class PolicyClientTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { SetLogLevel(LogLevel::kOff); }
  static void TearDownTestSuite() { SetLogLevel(LogLevel::kInfo); }

  Gate gate_;
};

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
TEST_F(PolicyClientTest, APolicyClientPlansAsThePolicyItself) {
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
TEST_F(PolicyClientTest, APolicyClientConnectsAgain) {
  auto server = std::make_unique<RunningServer>(gate_);
  PolicyClient client({.url = server->url()});
  EXPECT_EQ(client.Act(SeenByClient(), {}).frames.size(), 3u);
  ServeOptions options;
  options.port = server->port();
  server->Stop();
  RunningServer again(gate_, options);
  EXPECT_EQ(client.Act(SeenByClient(), {}).frames.size(), 3u);
}

// The server has no room as long as another client's large request waits.
TEST_F(PolicyClientTest, APolicyClientAsksABusyServerAgain) {
  ServeOptions options;
  options.limits.waiting_mib = 1;
  RunningServer server(gate_, options);
  gate_.Close();
  RawSocket large(server.port());
  large.Upgrade();
  large.ReadFrame();
  large.SendBinary(ToMsgpack(With(SampleObservation(700), "request_id", "large")));
  gate_.WaitForPlans(1);
  auto plan = std::async(std::launch::async, [&] {
    PolicyClient client({.url = server.url(), .first_pause_s = 0.001});
    return client.Act(SeenByClient(), {});
  });
  const std::string none = "aim_serve_faults_total{code=\"busy\"} 0\n";
  while (server.Metrics().find(none) != std::string::npos) {
  }
  gate_.Open();
  EXPECT_EQ(plan.get().frames.size(), 3u);
}

// One deadline over all attempts.
TEST_F(PolicyClientTest, APolicyClientGivesUpOnAServerThatIsGone) {
  RunningServer server(gate_);
  PolicyClient client({.url = server.url(), .reply_timeout_s = 0.2, .first_pause_s = 0.01});
  server.Stop();
  ExpectThrowsWith<IoError>([&] { client.Act(SeenByClient(), {}); }, {server.url()});
}

// Plans of two policies must not end up in one run.
TEST_F(PolicyClientTest, APolicyClientNoticesAnotherPolicy) {
  auto server = std::make_unique<RunningServer>(gate_);
  PolicyClient client({.url = server->url(), .first_pause_s = 0.001});
  EXPECT_THAT(client.Identity(), ::testing::StartsWith("\"gated\" (fingerprint "));
  ServeOptions options;
  options.port = server->port();
  server->Stop();
  {
    PolicyNeeds needs = kNeeds;
    needs.num_frames = 5;
    RunningServer longer(gate_, options, needs);
    ExpectThrowsWith<ConfigError>([&] { client.Act(SeenByClient(), {}); },
                                  {longer.url(), "4 actions", "2 actions", "begin anew"});
    ExpectThrowsWith<ConfigError>([&] { client.Act(SeenByClient(), {}); }, {"4 actions"});
  }
  {
    ServeOptions other = options;
    other.model.steps = 7;
    RunningServer more_steps(gate_, other);
    ExpectThrowsWith<ConfigError>([&] { client.Act(SeenByClient(), {}); },
                                  {more_steps.url(), "fingerprint"});
  }
  RunningServer same(gate_, options);
  EXPECT_EQ(client.Act(SeenByClient(), {}).frames.size(), 3u);
}

// What nobody receives does not fill the memory.
TEST_F(PolicyClientTest, AConnectionThatIsFloodedIsEnded) {
  ServeOptions options;
  options.limits.waiting = 1024;  // replies that the server keeps for a client
  RunningServer server(gate_, options);
  SocketConnection connection(ParseWebSocketUrl(server.url(), "url"), "", 20);
  for (int i = 0; i < 100; ++i) connection.Send(ToMsgpack(MsgpackValue::Map{{"op", "ping"}}));
  server.WaitForMetric("aim_serve_clients_total 1");
  server.WaitForMetric("aim_serve_clients 0");
  ExpectThrowsWith<IoError>(
      [&] {
        while (connection.Receive(20)) {
        }
      },
      {server.url(), "more than it was asked for"});
}

TEST_F(PolicyClientTest, AServerAtAnAddressOfIPv6IsFound) {
  const int probe = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool has_ipv6 =
      probe >= 0 && bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (probe >= 0) close(probe);
  if (!has_ipv6) GTEST_SKIP() << "this machine has no ::1";
  ServeOptions options;
  options.host = "::1";
  RunningServer server(gate_, options);
  PolicyClient client({.url = "ws://[::1]:" + std::to_string(server.port())});
  EXPECT_EQ(client.Act(SeenByClient(), {}).frames.size(), 3u);
}

TEST_F(PolicyClientTest, APolicyClientSaysWhatIsWrong) {
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
    PolicyClient client({.url = url, .api_key = "0123456789abcdef"});
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
