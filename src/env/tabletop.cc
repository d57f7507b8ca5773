#include "aim/env/tabletop.h"

#include <dlfcn.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <numbers>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "env/arm.h"
#include "env/distractors.h"
#include "env/expert.h"
#include "env/scene_cameras.h"
#include "env/scene_layout.h"
#include "env/scene_renderer.h"
#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {
namespace {

// MuJoCo's own handler writes a file into the working directory.
void WarnThroughLog() {
  static std::once_flag once;
  std::call_once(once, [] {
    mju_user_warning = [](const char* message) { LogWarning(std::string("MuJoCo: ") + message); };
  });
}

// An installed MuJoCo has the robot's model beside it, wherever its folder was moved to.
std::filesystem::path PandaDir() {
  if (const char* wish = std::getenv("AIM_PANDA_DIR")) return wish;
  Dl_info library{};
  if (dladdr(reinterpret_cast<const void*>(&mj_versionString), &library) != 0) {
    const std::filesystem::path installed =
        std::filesystem::path(library.dli_fname).parent_path() / "franka_emika_panda";
    if (std::filesystem::is_directory(installed)) return installed;
  }
  return AIM_PANDA_DIR;
}

struct TaskRow {
  std::unique_ptr<Task> (*make)();
  bool of_shipped_model;  // assets/tiny was trained for it; these are the default tasks
};
constexpr std::array<TaskRow, 8> kTasks = {{{MakeReachTarget, true},
                                            {MakePushButton, true},
                                            {MakeCloseDrawer, true},
                                            {MakeSlideBlock, true},
                                            {MakePickAndLift, true},
                                            {MakeOpenDrawer, false},
                                            {MakeTurnTap, false},
                                            {MakeStackBlocks, false}}};

// Above the middle of the table, nearly upright (docs/reference/small-model.md section 1).
Rigid3d DrawStart(Rng& rng) {
  const Eigen::Vector3d tip =
      kWorkspaceCentre +
      Eigen::Vector3d(rng.Uniform(-0.13, 0.13), rng.Uniform(-0.13, 0.13), rng.Uniform(0.15, 0.25));
  const double yaw_rad = rng.Uniform(-29, 29) * kDegree;
  const Eigen::Vector3d tilt(rng.Uniform(-9, 9) * kDegree, rng.Uniform(-9, 9) * kDegree, 0);
  const Rigid3d upright = ToolDown(tip, yaw_rad);
  return {(ExpRotation(tilt) * upright.rotation).normalized(), tip};
}

// A task's compiled model, its state and what draws and moves it.
struct Stage {
  Stage(const Task& stage_task, Look look, int image_size, int num_distractors, GlContext& context)
      : task(stage_task),
        model(BuildModel(stage_task, PandaDir(), look, image_size, num_distractors)),
        data(mj_makeData(model.get())),
        arm(model.get()),
        renderer(model.get(), look, context) {}

  const Task& task;
  ModelPtr model;
  DataPtr data;
  Arm arm;
  SceneRenderer renderer;
};

class Tabletop : public Env {
 public:
  Tabletop(const EnvOptions& options, const TabletopOptions& world)
      : options_(options), world_(world) {
    WarnThroughLog();
    CheckRanges(world, "env");
    if (options.image_size < 16 || options.image_size > 4096) {
      throw ConfigError({.where = "env.image_size",
                         .got = std::to_string(options.image_size),
                         .expected = "16 to 4096 pixels",
                         .fix = ""});
    }
    if (!(options.frame_period_s >= 0.01 && options.frame_period_s <= 2.0)) {
      throw ConfigError({.where = "env.frame_period_s",
                         .got = std::to_string(options.frame_period_s),
                         .expected = "0.01 to 2 seconds",
                         .fix = ""});
    }
    if (!(std::abs(options.camera_raise_deg) <= 25)) {
      throw ConfigError({.where = "env.camera_raise_deg",
                         .got = std::to_string(options.camera_raise_deg),
                         .expected = "-25 to 25 degrees",
                         .fix = ""});
    }
    for (const TaskRow& row : kTasks) tasks_.push_back(row.make());
  }

  EnvIdentity Identity() const override {
    EnvIdentity identity{.simulator = std::string("tabletop (MuJoCo ") + mj_versionString() + ")",
                         .settings = {}};
    if (world_.distractors > 0) identity.settings["distractors"] = ToText(world_.distractors);
    if (world_.more_colours) identity.settings["more_colours"] = "true";
    return identity;
  }

  std::vector<std::string> Tasks() const override {
    std::vector<std::string> names;
    for (const auto& task : tasks_) names.push_back(task->Name());
    return names;
  }

  std::vector<std::string> DefaultTasks() const override {
    std::vector<std::string> names;
    for (size_t i = 0; i < kTasks.size(); ++i) {
      if (kTasks[i].of_shipped_model) names.push_back(tasks_[i]->Name());
    }
    return names;
  }

  int NumVariations(const std::string& task) const override {
    FindTask(task);
    return static_cast<int>(Colours().size());
  }

  Observation Reset(const std::string& task, int variation, uint64_t seed) override {
    ResetState(task, variation, seed);
    return Observe();
  }

  StepResult Step(const ToolPose& target) override {
    Advance(target);
    return {Observe(), ik_failed_ ? StepOutcome::kIkFailure : StepOutcome::kMoved};
  }

  bool Success() const override { return success_; }

  Demonstration Demo(const std::string& task, int variation, uint64_t seed) override {
    ResetState(task, variation, seed);
    Demonstration demo;
    demo.commands = ExpertCommands();
    const size_t num_frames = demo.commands.size();
    demo.clip = EmptyClip(static_cast<int>(num_frames));
    RecordFrame(0, demo.clip);
    for (size_t frame = 1; frame < num_frames; ++frame) {
      Advance(demo.commands[frame]);
      RecordFrame(frame, demo.clip);
    }
    demo.success = success_;
    return demo;
  }

  Demonstration Plan(const std::string& task, int variation, uint64_t seed) override {
    ResetState(task, variation, seed);
    Demonstration demo;
    demo.commands = ExpertCommands();
    demo.clip = EmptyClip(1);
    RecordFrame(0, demo.clip);
    demo.clip.poses = demo.commands;
    return demo;
  }

  void PlaceCameras(const CameraWish& wish) override {
    if (wish.range != CameraRange::kUsual && options_.camera_raise_deg != 0) {
      throw ConfigError(
          {.where = "env.camera_raise_deg",
           .got = ToText(options_.camera_raise_deg) + " with --cameras " + ToWord(wish.range),
           .expected = "0: that range has elevations of its own",
           .fix = ""});
    }
    for (size_t view = 0; view < kNumViews && !wish.views.empty(); ++view) {
      WishedCamera(wish, view, kViewNames[view], kNumViews, 1);  // throws now, not at the reset
    }
    cameras_ = wish;
  }

  std::vector<uint8_t> RenderReport(int view, int size) override {
    CheckStarted();
    if (view < 0 || view >= kNumViews || size < 16 || size > 4096) {
      throw ConfigError({.where = "report picture",
                         .got = "view " + std::to_string(view) + ", size " + std::to_string(size),
                         .expected = "view 0 or 1, 16 to 4096 pixels",
                         .fix = ""});
    }
    std::vector<uint8_t> rgb(static_cast<size_t>(size) * static_cast<size_t>(size) * 3);
    if (options_.full_look) {
      stage_->renderer.RenderInto(stage_->data.get(), size, {{view, rgb}});
      return rgb;
    }
    // The same bodies and joints with other geoms: the state carries over.
    Stage& report = FindStage(stage_->task, Look::kFull);
    mj_resetData(report.model.get(), report.data.get());
    ApplyLayout(layout_, report.model.get(), report.data.get());
    mju_copy(report.data->qpos, stage_->data->qpos, report.model->nq);
    mj_kinematics(report.model.get(), report.data.get());
    mj_camlight(report.model.get(), report.data.get());
    report.renderer.RenderInto(report.data.get(), size, {{view, rgb}});
    return rgb;
  }

 private:
  const Task& FindTask(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& task : tasks_) {
      if (task->Name() == name) return *task;
      names.push_back(task->Name());
    }
    throw ConfigError({.where = "--task",
                       .got = "\"" + name + "\"",
                       .expected = "one of " + Join(names),
                       .fix = DidYouMean(name, names)});
  }

  Stage& FindStage(const Task& task, Look look) {
    std::unique_ptr<Stage>& stage = stages_[{task.Name(), look}];
    if (!stage) {
      stage =
          std::make_unique<Stage>(task, look, options_.image_size, world_.distractors, context_);
    }
    return *stage;
  }

  Palette Colours() const {
    return Palette(kColours).first(world_.more_colours ? kColours.size() : kNumUsualColours);
  }

  void CheckStarted() const {
    if (stage_ == nullptr) {
      throw ConfigError({.where = "tabletop",
                         .got = "used before its first reset",
                         .expected = "Reset first",
                         .fix = ""});
    }
  }

  void ResetState(const std::string& task_name, int variation, uint64_t seed) {
    const Task& task = FindTask(task_name);
    if (variation < 0 || variation >= NumVariations(task_name)) {
      throw ConfigError({.where = "variation",
                         .got = std::to_string(variation),
                         .expected = "0 to " + std::to_string(NumVariations(task_name) - 1),
                         .fix = ""});
    }
    stage_ = &FindStage(task, options_.full_look ? Look::kFull : Look::kFast);
    mjModel* model = stage_->model.get();
    mjData* data = stage_->data.get();
    const NamedColour& colour = Colours()[static_cast<size_t>(variation)];
    const Rng rng =
        Rng(StableHash(task_name, seed)).Derive(static_cast<uint64_t>(variation), "scene");

    mj_resetData(model, data);
    layout_ = SceneLayout();
    layout_.palette = Colours();
    Rng start_rng = rng.Derive(0, "start");
    world_from_start_ = DrawStart(start_rng);
    Rng object_rng = rng.Derive(0, "objects");
    task.Draw(colour, world_from_start_, object_rng, layout_);
    Rng surroundings_rng = rng.Derive(0, "surroundings");
    DrawSurroundings(options_.camera_raise_deg, surroundings_rng, layout_);
    aim::PlaceCameras(cameras_, rng, layout_);
    ApplyLayout(layout_, model, data);
    AIM_CHECK(stage_->arm.Place(world_from_start_, data));
    mj_forward(model, data);
    if (world_.distractors > 0) AddDistractors(colour, rng.Derive(0, "distractors"));

    Rng prompt_rng = rng.Derive(0, "prompt");
    const std::vector<std::string> phrasings = task.Phrasings();
    prompt_ = phrasings[static_cast<size_t>(
        prompt_rng.UniformInt(static_cast<int64_t>(phrasings.size())))];
    prompt_.replace(prompt_.find("{}"), 2, colour.name);
    success_ = false;
    ik_failed_ = false;
  }

  // Beside what is there and beside the expert's way.
  void AddDistractors(const NamedColour& colour, Rng rng) {
    mjModel* model = stage_->model.get();
    mjData* data = stage_->data.get();
    SceneLayout things;
    things.palette = layout_.palette;
    DrawDistractors(model, data, ExpertCommands(), colour, world_.distractors, rng, things);
    layout_.bodies.insert(layout_.bodies.end(), things.bodies.begin(), things.bodies.end());
    layout_.colours.insert(layout_.colours.end(), things.colours.begin(), things.colours.end());
    ApplyLayout(layout_, model, data);
    mj_forward(model, data);
  }

  void Advance(const ToolPose& target) {
    CheckStarted();
    Validate(target, "pose target");
    const int num_steps =
        static_cast<int>(std::lround(options_.frame_period_s / stage_->model->opt.timestep));
    ik_failed_ = !stage_->arm.Move(target, num_steps, stage_->data.get());
    success_ = success_ || stage_->task.Satisfied(stage_->model.get(), stage_->data.get());
  }

  std::vector<ToolPose> ExpertCommands() const {
    return CommandsFromWaypoints(
        world_from_start_,
        stage_->task.Plan(stage_->model.get(), stage_->data.get(), world_from_start_));
  }

  ToolPose MeasuredTool() const {
    const mjData* data = stage_->data.get();
    return {stage_->arm.WorldFromTip(data), stage_->arm.GripperOpen(data)};
  }

  Clip EmptyClip(int num_frames) const {
    Clip clip;
    clip.height = options_.image_size;
    clip.width = options_.image_size;
    clip.fps = 1.0 / options_.frame_period_s;
    clip.prompt = prompt_;
    for (int view = 0; view < kNumViews; ++view) {
      ClipView clip_view;
      clip_view.camera.name = kViewNames[static_cast<size_t>(view)];
      clip_view.camera.frames = {
          CameraOfView(stage_->model.get(), stage_->data.get(), view, options_.image_size)};
      clip_view.num_frames = num_frames;
      clip_view.rgb.resize(static_cast<size_t>(num_frames) * PictureBytes());
      clip.views.push_back(std::move(clip_view));
    }
    return clip;
  }

  size_t PictureBytes() const {
    return static_cast<size_t>(options_.image_size) * static_cast<size_t>(options_.image_size) * 3;
  }

  void RecordFrame(size_t frame, Clip& clip) {
    std::vector<ViewPicture> pictures;
    for (int view = 0; view < kNumViews; ++view) {
      std::vector<uint8_t>& rgb = clip.views[static_cast<size_t>(view)].rgb;
      pictures.push_back({view, std::span(rgb).subspan(frame * PictureBytes(), PictureBytes())});
    }
    stage_->renderer.RenderInto(stage_->data.get(), options_.image_size, pictures);
    clip.poses.push_back(MeasuredTool());
  }

  Observation Observe() {
    Clip clip = EmptyClip(1);
    RecordFrame(0, clip);
    return {.time_s = stage_->data->time, .clip = std::move(clip)};
  }

  EnvOptions options_;
  TabletopOptions world_;
  CameraWish cameras_;
  std::vector<std::unique_ptr<Task>> tasks_;
  GlContext context_;  // outlives the renderers of the stages
  std::map<std::pair<std::string, Look>, std::unique_ptr<Stage>> stages_;

  // The present episode.
  Stage* stage_ = nullptr;
  SceneLayout layout_;
  Rigid3d world_from_start_;
  std::string prompt_;
  bool success_ = false;
  bool ik_failed_ = false;
};

}  // namespace

std::unique_ptr<Env> MakeTabletop(const EnvOptions& options, const TabletopOptions& world) {
  return std::make_unique<Tabletop>(options, world);
}

}  // namespace aim
