// aim-serve as a user meets it: the tool, its clients, docs/serving.md.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "aim/geometry/camera.h"
#include "aim/media/image.h"
#include "aim/wire/policy_client.h"
#include "support/python.h"
#include "support/source_dir.h"
#include "tools/served_model.h"

namespace aim::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kInteropModules = "openpi_client.websocket_client_policy, msgpack";

Clip ExampleClip() {
  const std::filesystem::path folder = SourceDir() / "assets/example";
  Clip clip;
  clip.prompt = "grasp the red block and lift it";
  for (const CameraTrack& track : ReadCamerasJson(folder / "cameras.json")) {
    const std::string file = "view" + std::to_string(clip.views.size()) + ".png";
    Image image = ReadImage(folder / file);
    clip.height = image.height;
    clip.width = image.width;
    clip.views.push_back({.camera = track, .num_frames = 1, .rgb = std::move(image.rgb)});
  }
  const std::vector<double> pose = {0.422,    -0.086,   0.2199,   -0.975791,
                                    0.213675, 0.018254, 0.042907, 1};
  clip.poses = {ToolPoseFromNumbers(pose, "pose")};
  return clip;
}

TEST(ServeToolTest, ServesTheShippedModelUntilItIsTold) {
  ServedModel served;
  EXPECT_EQ(served.ProcessName(), "aim-serve\n");
  {
    PolicyClient client({.url = "ws://127.0.0.1:" + served.port()});
    EXPECT_EQ(client.served().name, "tiny");
    const Plan plan = client.Act(ExampleClip(), {.seed = 3});
    ASSERT_EQ(static_cast<int>(plan.frames.size()), client.Needs().num_frames);
    EXPECT_GT(MedianConfidence(plan.frames), 0.5);
    const Plan again = client.Act(ExampleClip(), {.seed = 3});
    EXPECT_EQ(again.frames.back().pose.world_from_tool.translation,
              plan.frames.back().pose.world_from_tool.translation);
  }
  const CommandResult result = served.Terminate();
  EXPECT_EQ(result.exit_code, 128 + SIGTERM) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\"plans\":2"));
}

// The first columns of each row: task to termination.
std::string TrialsOf(const std::filesystem::path& folder) {
  std::string kept;
  std::istringstream lines(ReadFile(folder / "episodes.csv"));
  for (std::string line; std::getline(lines, line);) {
    size_t end = 0;
    for (int column = 0; column < 8; ++column) end = line.find(',', end) + 1;
    kept += line.substr(0, end) + "\n";
  }
  return kept;
}

// A model behind a server acts in the simulator as the model itself.
TEST(ServeToolTest, ARolloutOverTheWireIsTheRolloutOfTheModel) {
  const TemporaryFolder folder;
  const std::string model = (SourceDir() / "assets/tiny").string();
  const auto roll_out = [&](const std::string& policy, const std::string& name) {
    return RunCommand({Binary("aim-rollout"), "--policy", policy, "--model", model, "--task",
                       "reach_target", "--episodes", "2", "--replan", "8", "--no-references",
                       "--num-videos", "0", "--out", folder / name});
  };
  ServedModel served;
  const CommandResult there = roll_out("ws://127.0.0.1:" + served.port(), "there");
  ASSERT_EQ(there.exit_code, 0) << there.err;
  ASSERT_EQ(roll_out("model", "here").exit_code, 0);
  EXPECT_EQ(TrialsOf(folder / "there"), TrialsOf(folder / "here"));
  EXPECT_THAT(TrialsOf(folder / "here"), HasSubstr("reach_target,"));
  EXPECT_THAT(served.Terminate().out, ::testing::Not(HasSubstr("\"plans\":0")));
}

TEST(ServeToolTest, OpenpisOwnClientDrivesTheShippedModel) {
  const std::string python = PythonWith(kInteropModules, ".venv-interop");
  if (python.empty()) GTEST_SKIP() << "openpi-client is not there; scripts/setup --interop";
  ServedModel served;
  const CommandResult check = RunCommand(
      {python, SourceDir() / "tests/tools/openpi_check.py", served.port(), SourceDir().string()});
  EXPECT_EQ(check.out, "ok\n") << check.err;
  EXPECT_EQ(served.Terminate().exit_code, 128 + SIGTERM);
}

// Ours in Python asks again where that helps, and has every job done.
TEST(ServeToolTest, ThePythonClientIsNotShakenAndHasJobsDone) {
  const std::string python = PythonWith("numpy, msgpack, websockets.sync.server", ".venv-interop");
  if (python.empty())
    GTEST_SKIP() << "msgpack and websockets are not there; scripts/setup --interop";
  ServedModel served;
  const CommandResult check =
      RunCommand({python, SourceDir() / "tests/tools/policy_client_check.py", served.port(),
                  SourceDir().string()});
  EXPECT_EQ(check.out, "ok\n") << check.err;
  EXPECT_EQ(served.Terminate().exit_code, 128 + SIGTERM);
}

TEST(ServeToolTest, VlaEvalsOwnClientDrivesTheShippedModel) {
  const std::string python = PythonWith("vla_eval.runners.sync_runner", ".venv-interop");
  if (python.empty()) GTEST_SKIP() << "vla-eval is not there; scripts/setup --interop";
  ServedModel served;
  const CommandResult check = RunCommand(
      {python, SourceDir() / "tests/tools/vla_eval_check.py", served.port(), SourceDir().string()});
  EXPECT_EQ(check.out, "ok\n") << check.err;
  EXPECT_THAT(served.Terminate().out, HasSubstr("\"plans\":10"));
}

// The first block of commands of docs/serving.md, at another port.
TEST(ServeToolTest, TheExampleOfItsPageWorks) {
  const std::string python = PythonWith("numpy, msgpack, websockets.sync.client", ".venv-interop");
  if (python.empty())
    GTEST_SKIP() << "msgpack and websockets are not there; scripts/setup --interop";
  const std::string page = ReadFile(SourceDir() / "docs/serving.md");
  const std::string begin = "```bash\n";
  std::string block = page.substr(page.find(begin) + begin.size());
  block = block.substr(0, block.find("```"));
  ASSERT_THAT(block, HasSubstr("scripts/policy_client.py"));
  // A port that was free a moment ago.
  std::string port;
  {
    ServedModel served;
    port = served.port();
    served.Terminate();
  }
  for (size_t at = block.find("8000"); at != std::string::npos; at = block.find("8000", at)) {
    block.replace(at, 4, port);
  }
  const std::string folder = std::filesystem::path(python).parent_path().string();
  const CommandResult run = RunCommand(
      {"/bin/bash", "-c",
       "set -m; cd '" + SourceDir().string() + "' && export PATH='" + folder + "':'" +
           std::getenv("AIM_BIN_DIR") + "':$PATH PYTHONDONTWRITEBYTECODE=1\n" + block + "wait\n"});
  EXPECT_THAT(run.out, HasSubstr("time_s,x,y,z,qx,qy,qz,qw,gripper_open,confidence\n0.12,"))
      << run.err;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 1 + 16 + 1) << run.out;
  EXPECT_THAT(run.out, HasSubstr("\"plans\":1"));
}

struct WrongCall {
  std::vector<std::string> words;
  std::string sentence;
};

TEST(ServeToolTest, WrongCallsAreSaid) {
  const std::string model = (SourceDir() / "assets/tiny").string();
  const WrongCall calls[] = {
      {{}, "--model is not given"},
      {{"--model", "nowhere"}, "nowhere is missing"},
      {{"--model", model, "--port", "70000"}, "port is 70000; expected [0, 65535]"},
      {{"--model", model, "--host", "203.0.113.1"}, "203.0.113.1:8000, which cannot be used"},
      {{"--model", model, "--wire", "grpc"}, "openpi|roboarena|vllm-omni|vla-eval"},
      {{"--model", model, "--mode", "v2a"}, "i2a|i2va"},
      {{"--model", model, "--api-key-file", "nowhere"}, "nowhere is missing"},
      {{"--model", model, "--cameras", "nowhere.json"}, "nowhere.json is missing"},
      {{"--model", model, "--stretched"}, "expected --cameras"},
      {{"--model", model, "--out", "out/serve"}, "a server writes no files"},
  };
  for (const WrongCall& call : calls) {
    std::vector<std::string> words = {Binary("aim-serve")};
    words.insert(words.end(), call.words.begin(), call.words.end());
    const CommandResult result = RunCommand(words);
    EXPECT_EQ(result.exit_code, 2) << call.sentence;
    EXPECT_THAT(result.err, HasSubstr(call.sentence));
    EXPECT_EQ(result.out, "");
  }
}

// The help fits a terminal, and its example is the one that the tests above run.
TEST(ServeToolTest, HelpEndsWithItsExample) {
  const CommandResult help = RunCommand({Binary("aim-serve"), "--help"});
  EXPECT_THAT(help.out, HasSubstr("Example: aim-serve --model assets/tiny --port 8000"));
  std::istringstream lines(help.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

}  // namespace
}  // namespace aim::testing
