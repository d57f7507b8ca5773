// Runs a policy on a robot, guarded (docs/real_robot.md):
//   policy_loop SETTINGS.toml
// The robot here is the embedded simulator under the cameras of a file: put your own in its place.
#include <aim/base/error.h>
#include <aim/codec/pose_csv.h>
#include <aim/env/tabletop.h>
#include <aim/policy/model_policy.h>
#include <aim/wire/api_key.h>
#include <aim/wire/policy_client.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <limits>
#include <memory>

#include "guard.h"

namespace {

namespace fs = std::filesystem;

constexpr int kUsualSizePx = 64;
constexpr double kUsualPeriodS = 0.12;

struct Settings {
  std::string policy;
  std::string api_key_file;
  double plan_s = 10;
  std::string cameras;
  std::string heartbeat;
  std::string out;
  int64_t seed = 0;
  double duration_s = 10;
  int replan = 8;
  double min_confidence = 0.3;
  int most_lost_plans = 2;
  GuardOptions guard;
  std::string task = "reach_target";
  double cameras_fail_s = 1e9;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    using aim::Any;
    using aim::Range;
    visit("policy", self.policy, Any{}, "ws://HOST:PORT of aim-serve, or the folder of a model");
    visit("api_key_file", self.api_key_file, Any{}, "what that of aim-serve holds; none if empty");
    visit("plan_s", self.plan_s, Range{0.01, 600}, "stop if a server takes longer for a plan");
    visit("cameras", self.cameras, Any{}, "cameras.json: the calibration");
    visit("heartbeat", self.heartbeat, Any{}, "file that somebody touches while all is well");
    visit("out", self.out, Any{}, "poses.csv of what the robot was told");
    visit("seed", self.seed, Range{0, 1e9}, "of the plans' noise");
    visit("duration_s", self.duration_s, Range{0.1, 3600}, "end after that");
    visit("replan", self.replan, Range{1, 1000}, "frames of a plan to execute");
    visit("min_confidence", self.min_confidence, Range{0, 1}, "hold in frames below");
    visit("most_lost_plans", self.most_lost_plans, Range{1, 100}, "stop if all are held in these");
    visit("guard", self.guard, Any{}, "limits");
    visit("task", self.task, Any{}, "of the simulated robot");
    visit("cameras_fail_s", self.cameras_fail_s, Range{0, 1e9}, "when its cameras freeze");
  }
};

// What your robot has to do. MoveTo() takes one period; Look() gives the newest pictures, in the
// order of the calibration, with the time at which they were taken on the clock of Now().
class SimulatedRobot {
 public:
  SimulatedRobot(const Settings& settings, const aim::EnvOptions& options)
      : env_(aim::MakeTabletop(options)), cameras_fail_s_(settings.cameras_fail_s) {
    env_->PlaceCameras({.views = aim::ReadCamerasJson(settings.cameras)});
    seen_ = env_->Reset(settings.task, 0, static_cast<uint64_t>(settings.seed));
  }
  double Now() const { return now_s_; }
  const aim::Observation& Look() const { return seen_; }
  void MoveTo(const aim::ToolPose& target) {
    aim::StepResult result = env_->Step(target);
    now_s_ = result.observation.time_s;
    if (now_s_ < cameras_fail_s_) seen_ = std::move(result.observation);
  }
  bool IsDone() const { return env_->Success(); }

 private:
  std::unique_ptr<aim::Env> env_;
  double cameras_fail_s_;
  double now_s_ = 0;
  aim::Observation seen_;
};

volatile std::sig_atomic_t is_interrupted = 0;

// The run ends before the next target; a second Ctrl-C ends it at once.
void Interrupt(int signal) {
  is_interrupted = 1;
  std::signal(signal, SIG_DFL);
}

// Infinite where there is no such file.
double HeartbeatAge(const std::string& file) {
  std::error_code error;
  const auto touched = fs::last_write_time(file, error);
  if (error) return std::numeric_limits<double>::infinity();
  return std::chrono::duration<double>(fs::file_time_type::clock::now() - touched).count();
}

std::unique_ptr<aim::Policy> MakePolicy(const Settings& settings) {
  if (settings.policy.starts_with("ws://")) {
    aim::PolicyClientOptions options = {.url = settings.policy, .reply_timeout_s = settings.plan_s};
    if (!settings.api_key_file.empty()) options.api_key = aim::ReadApiKey(settings.api_key_file);
    return std::make_unique<aim::PolicyClient>(options);
  }
  aim::ModelPolicyOptions options;
  options.model.model = settings.policy;
  return aim::MakeModelPolicy(options);
}

bool IsLost(const aim::Plan& plan, double min_confidence) {
  return std::none_of(plan.frames.begin() + 1, plan.frames.end(), [&](const auto& frame) {
    return frame.decodable && frame.confidence >= min_confidence;
  });
}

// Why it ended; `told` are the targets, the first where the tool is.
std::string Loop(const Settings& settings, aim::Policy& policy, SimulatedRobot& robot,
                 double period_s, std::vector<aim::ToolPose>& told) {
  const Guard guard(settings.guard);
  if (!guard.IsInside(told.back())) return "stopped: the tool is outside of its box at the start";
  policy.Reset(static_cast<uint64_t>(settings.seed));
  int num_lost = 0;
  for (int replan = 0; robot.Now() < settings.duration_s; ++replan) {
    const int frame = static_cast<int>(told.size()) - 1;
    const aim::Plan plan = policy.Act(
        robot.Look().clip,
        {.seed = static_cast<uint64_t>(settings.seed), .replan = replan, .frame = frame});
    num_lost = IsLost(plan, settings.min_confidence) ? num_lost + 1 : 0;
    if (num_lost >= settings.most_lost_plans) return "stopped: plans without confidence";
    for (const aim::ToolPose& wanted : aim::ExecutionTargets(
             plan, told.back(), period_s,
             {.horizon = settings.replan, .min_confidence = settings.min_confidence})) {
      if (is_interrupted) return "stopped: interrupted";
      const std::string reason =
          guard.WhyStop(robot.Now() - robot.Look().time_s, HeartbeatAge(settings.heartbeat));
      if (!reason.empty()) return "stopped: " + reason;
      told.push_back(guard.Allowed(told.back(), wanted, period_s));
      robot.MoveTo(told.back());
      if (robot.IsDone()) return "done";
    }
  }
  return "time is over";
}

Settings ReadSettings(const std::string& file) {
  Settings settings;
  aim::ApplyOptions(settings, aim::ReadToml(file), file);
  aim::CheckRanges(settings);
  settings.guard.Validate();
  for (const auto& [key, value] :
       {std::pair("policy", settings.policy), std::pair("cameras", settings.cameras),
        std::pair("heartbeat", settings.heartbeat), std::pair("out", settings.out)}) {
    if (!value.empty()) continue;
    throw aim::ConfigError(
        {.where = file + ": " + key, .got = "not given", .expected = "a value", .fix = ""});
  }
  return settings;
}

int Run(const std::string& file) {
  const Settings settings = ReadSettings(file);
  const auto policy = MakePolicy(settings);
  const aim::PolicyNeeds needs = policy->Needs();
  const double period_s = needs.frame_period_s > 0 ? needs.frame_period_s : kUsualPeriodS;
  SimulatedRobot robot(settings,
                       {.image_size = needs.image_size > 0 ? needs.image_size : kUsualSizePx,
                        .frame_period_s = period_s});
  std::vector<aim::ToolPose> told = {robot.Look().tool()};
  const auto keep = [&] { aim::WritePosesCsv(settings.out, told, period_s); };
  keep();  // a place that cannot be written is known before anything moves
  std::signal(SIGINT, Interrupt);
  std::string end;
  try {
    end = Loop(settings, *policy, robot, period_s, told);
  } catch (const aim::IoError& error) {
    end = std::string("stopped: ") + error.what();
  } catch (const std::exception&) {
    keep();
    throw;
  }
  keep();
  std::printf("%s after %zu targets\n", end.c_str(), told.size() - 1);
  return end.starts_with("stopped") ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("Usage: policy_loop SETTINGS.toml\n", stderr);
    return 2;
  }
  try {
    return Run(argv[1]);
  } catch (const aim::IoError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  } catch (const aim::Error& error) {  // one sentence: what, where, what to do
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "internal error: %s\n", error.what());
    return 1;
  }
}
