#include "aim/env/child_env.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "env/calibration_check.h"
#include "env/child_messages.h"
#include "env/child_process.h"

namespace aim {
namespace {

constexpr double kPeriodTolerance_s = 1e-6;
constexpr double kLowestChildCamera_deg = 10;
constexpr size_t kMostTasksLogged = 20;

class ChildEnv : public Env {
 public:
  ChildEnv(ChildOptions child, const EnvOptions& options)
      : child_(std::move(child)), options_(options) {
    if (options.camera_raise_deg != 0) {
      throw ConfigError({.where = "--camera-raise-deg",
                         .got = ToText(options.camera_raise_deg) + " with --env " + child_.name,
                         .expected = "0: the embedded simulator alone has it",
                         .fix = "move the cameras with --cameras moved:DEG"});
    }
    Start();
    const ChildDescription& described = *description_;
    const std::string tasks = described.tasks.size() <= kMostTasksLogged
                                  ? "tasks " + Join(Tasks())
                                  : std::to_string(described.tasks.size()) + " tasks";
    LogInfo(described.simulator + ": " + tasks + "; views " + Join(described.views) +
            "; control at " + ToText(described.control_hz) + " Hz; cameras in " +
            ToWord(described.camera_axes) + " axes");
  }

  EnvIdentity Identity() const override {
    return {.simulator = description_->simulator, .settings = description_->settings};
  }

  std::vector<std::string> Tasks() const override {
    std::vector<std::string> names;
    for (const ChildTask& task : description_->tasks) names.push_back(task.name);
    return names;
  }

  int NumVariations(const std::string& task) const override {
    return FindTask(task).num_variations;
  }

  int FramesWithoutExpert(const std::string& task) const override {
    return FindTask(task).frames_without_expert;
  }

  Observation Reset(const std::string& task, int variation, uint64_t seed) override {
    return Begin("reset", task, variation, seed).observation;
  }

  StepResult Step(const ToolPose& target) override {
    Validate(target, "pose target");
    if (!process_ || !is_begun_) {
      throw IoError({.where = child_.name,
                     .got = "not in a trial",
                     .expected = "a reset before the first step, and after a lost simulator",
                     .fix = ""});
    }
    const MsgpackValue reply = Ask(StepMessage(target), "a step");
    return Understand("a step", [&] {
      ChildObservation seen = Read(reply);
      success_ = success_ || seen.success;
      return StepResult{std::move(seen.observation), OutcomeFrom(reply)};
    });
  }

  bool Success() const override { return success_; }

  Demonstration Demo(const std::string& task, int variation, uint64_t seed) override {
    ChildPlan plan;
    Observation seen = Begin("plan", task, variation, seed, &plan).observation;
    if (!plan.at_start) seen = Reset(task, variation, seed);
    Demonstration demo;
    demo.commands = std::move(plan.commands);
    demo.clip = std::move(seen.clip);
    for (size_t i = 1; i < demo.commands.size(); ++i) {
      seen = Step(demo.commands[i]).observation;
      demo.clip.poses.push_back(seen.tool());
      for (size_t view = 0; view < seen.clip.views.size(); ++view) {
        ClipView& kept = demo.clip.views[view];
        ClipView& added = seen.clip.views[view];
        kept.rgb.insert(kept.rgb.end(), added.rgb.begin(), added.rgb.end());
        ++kept.num_frames;
        kept.camera.frames.push_back(added.camera.frames.front());
      }
    }
    demo.success = success_;
    return demo;
  }

  Demonstration Plan(const std::string& task, int variation, uint64_t seed) override {
    ChildPlan plan;
    Demonstration demo;
    demo.clip = Begin("plan", task, variation, seed, &plan).observation.clip;
    demo.commands = std::move(plan.commands);
    demo.clip.poses = demo.commands;
    return demo;
  }

  void PlaceCameras(const CameraWish& wish) override {
    RequireUsualRange(wish, child_.name);
    if (!wish.IsAsTrained() && !description_->can_place_cameras) {
      throw ConfigError({.where = "--cameras",
                         .got = "to be moved in " + child_.name,
                         .expected = "as-trained: it cannot move its cameras",
                         .fix = ""});
    }
    for (size_t i = 0; i < description_->views.size() && !wish.views.empty(); ++i) {
      WishedCamera(wish, i, description_->views[i], description_->views.size(), 1);
    }
    cameras_ = wish;
  }

  std::vector<uint8_t> RenderReport(int view, int size) override {
    const MsgpackValue reply =
        Ask(MsgpackValue::Map{{"op", "render"}, {"view", view}, {"size", size}}, "a picture");
    return Understand("a picture", [&] { return PictureFrom(reply, size); });
  }

 private:
  // What the child says is no input of the user's: an error in it is the child's.
  template <class Function>
  std::invoke_result_t<Function> Understand(const std::string& what, Function&& function) {
    try {
      return function();
    } catch (const InputError& error) {
      process_.reset();
      throw IoError({.where = child_.name + ": " + what,
                     .got = std::string("answered wrongly (") + error.what() + ")",
                     .expected = std::string("a message of ") + kEnvProtocol + " " +
                                 std::to_string(kEnvProtocolMajor),
                     .fix = ""});
    }
  }

  // The value under "ok" of the answer, or what "error" says as an exception.
  MsgpackValue Ask(const MsgpackValue& message, const std::string& what) {
    AIM_CHECK(process_ != nullptr);
    const double timeout_s = is_open_ ? child_.reply_timeout_s : child_.start_timeout_s;
    const std::string where = child_.name + ": " + what;
    std::string bytes;
    try {
      bytes = process_->Ask(ToMsgpack(message), timeout_s, where);
    } catch (const IoError&) {
      process_.reset();
      throw;
    }
    return Understand(what, [&] {
      MsgpackValue reply = ParseMsgpack(bytes, "its message");
      if (const MsgpackValue* error = Find(reply, "error")) ThrowChildError(*error, where);
      const MsgpackValue* ok = Find(reply, "ok");
      if (ok == nullptr) {
        throw FormatError({.where = "its message",
                           .got = ShownMsgpack(reply) + " without \"ok\" and \"error\"",
                           .expected = "one of them",
                           .fix = ""});
      }
      return *ok;
    });
  }

  // The user can mend what is wrong with the set-up or the request, not what failed in a trial. A
  // simulator that failed otherwise may be in any state, and is not used again.
  [[noreturn]] void ThrowChildError(const MsgpackValue& error, const std::string& where) {
    const MsgpackValue* kind = Find(error, "kind");
    const MsgpackValue* message = Find(error, "message");
    const auto* kind_text = kind == nullptr ? nullptr : kind->As<std::string>();
    const auto* text = message == nullptr ? nullptr : message->As<std::string>();
    if (kind_text == nullptr || text == nullptr) {
      throw FormatError({.where = "error",
                         .got = ShownMsgpack(error),
                         .expected = "kind and message, both text",
                         .fix = ""});
    }
    const Problem problem{
        .where = where, .got = "refused: " + Printable(*text, 1000), .expected = "", .fix = ""};
    if (*kind_text == "usage") throw ConfigError(problem);
    if (*kind_text == "simulator") process_.reset();
    throw IoError(problem);
  }

  void Start() {
    process_ = std::make_unique<ChildProcess>(child_.command);
    is_open_ = false;
    const MsgpackValue reply = Ask(OpenMessage(options_), "opening the simulator");
    description_ = Understand("opening the simulator", [&] { return DescriptionFrom(reply); });
    const double period_s = description_->frame_period_s;
    if (period_s != 0 && !(std::abs(period_s - options_.frame_period_s) <= kPeriodTolerance_s)) {
      throw ConfigError(
          {.where = "--frame-period-s",
           .got = ToText(options_.frame_period_s),
           .expected = ToText(period_s) + ", the nearest that " + child_.name + " can do",
           .fix = ""});
    }
    is_open_ = true;
    is_checked_ = false;
    is_begun_ = false;
  }

  // A child that was lost is started again here: with its seed the scene is the same.
  ChildObservation Begin(const std::string& op, const std::string& task, int variation,
                         uint64_t seed, ChildPlan* plan = nullptr) {
    const ChildTask& known = FindTask(task);
    const Eigen::Vector3d scene_centre = known.scene_centre;
    if (known.frames_without_expert > 0 && plan != nullptr) {
      throw ConfigError({.where = "a demonstration of " + task,
                         .got = "asked of " + child_.name,
                         .expected = "a task with a scripted expert",
                         .fix = ""});
    }
    const std::string what = (plan == nullptr ? "the reset to " : "the demonstration of ") + task +
                             ", variation " + std::to_string(variation) + ", seed " +
                             std::to_string(seed);
    if (!process_ || !is_open_) {
      LogWarning(child_.name + ": starting the simulator again");
      Start();
    }
    MsgpackValue reply = Ask(SceneMessage(op, task, variation, seed), what);
    if (plan != nullptr) *plan = Understand(what, [&] { return PlanFrom(reply); });
    ChildObservation seen = Understand(what, [&] { return Read(reply); });
    if (!is_checked_) Check(seen.observation);
    if (!cameras_.IsAsTrained()) {
      const std::vector<CameraTrack> views = PlacedViews(seen.observation, scene_centre, seed);
      reply = Ask(CamerasMessage(views, description_->camera_axes), "placing the cameras");
      seen = Understand("placing the cameras", [&] { return Read(reply); });
    }
    success_ = seen.success;
    is_begun_ = plan == nullptr || plan->at_start;
    return seen;
  }

  ChildObservation Read(const MsgpackValue& reply) const {
    ChildObservation seen = ObservationFrom(reply, *description_, options_.image_size);
    seen.observation.clip.fps = 1 / options_.frame_period_s;
    return seen;
  }

  // Once a start: a convention does not change while the simulator runs.
  void Check(const Observation& seen) {
    const MsgpackValue reply = Ask(MsgpackValue::Map{{"op", "check"}}, "its calibration");
    const auto marks = Understand("its calibration", [&] {
      return MarksFrom(reply, description_->views.size(), options_.image_size);
    });
    if (CheckCalibration(CamerasOf(seen.clip), marks, child_.name) == 0) {
      LogWarning(child_.name +
                 ": no view shows the gripper at the start; its calibration was not checked");
    }
    is_checked_ = true;
  }

  std::vector<CameraTrack> PlacedViews(const Observation& seen, const Eigen::Vector3d& scene_centre,
                                       uint64_t seed) const {
    std::vector<CameraTrack> views = CamerasOf(seen.clip);
    for (size_t i = 0; i < views.size(); ++i) {
      Camera& camera = views[i].frames.front();
      if (!cameras_.views.empty()) {
        camera = WishedCamera(cameras_, i, views[i].name, views.size(), options_.image_size);
      } else {
        Rng rng = Rng(seed).Derive(i, "moved cameras");
        camera.world_from_camera = MovedCamera(cameras_, camera.world_from_camera, scene_centre,
                                               kLowestChildCamera_deg * kDegree, rng);
      }
    }
    return views;
  }

  const ChildTask& FindTask(const std::string& name) const {
    for (const ChildTask& task : description_->tasks) {
      if (task.name == name) return task;
    }
    throw ConfigError({.where = "--task",
                       .got = "\"" + name + "\"",
                       .expected = "one of " + Join(Tasks()),
                       .fix = DidYouMean(name, Tasks())});
  }

  ChildOptions child_;
  EnvOptions options_;
  CameraWish cameras_;
  std::unique_ptr<ChildProcess> process_;  // null: it was lost
  std::optional<ChildDescription> description_;
  bool is_open_ = false;
  bool is_checked_ = false;
  bool is_begun_ = false;
  bool success_ = false;
};

}  // namespace

std::unique_ptr<Env> StartChildEnv(const ChildOptions& child, const EnvOptions& options) {
  return std::make_unique<ChildEnv>(child, options);
}

}  // namespace aim
