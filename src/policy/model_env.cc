#include "aim/policy/model_env.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/options.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/diffusion/clip_encoding.h"

namespace aim {
namespace {

constexpr double kPeriodTolerance = 1e-3;

// Frame `frame` of a view alone.
ClipView FrameOf(const ClipView& view, int frame) {
  const size_t bytes = view.rgb.size() / static_cast<size_t>(view.num_frames);
  const auto begin = view.rgb.begin() + static_cast<std::ptrdiff_t>(bytes) * frame;
  return {.camera = view.camera,
          .num_frames = 1,
          .rgb = {begin, begin + static_cast<std::ptrdiff_t>(bytes)}};
}

void CheckFits(const EnvOptions& options, const BundleConfig& config) {
  const auto refuse = [](const char* where, const std::string& got, const std::string& expected) {
    throw ConfigError({.where = where, .got = got, .expected = expected, .fix = ""});
  };
  if (options.image_size != config.image_width || options.image_size != config.image_height) {
    refuse("--image-size", std::to_string(options.image_size),
           SizeText(config.image_width, config.image_height) + ", what the model imagines");
  }
  if (std::abs(options.frame_period_s * config.fps - 1) > kPeriodTolerance) {
    refuse("--frame-period-s", ToText(options.frame_period_s),
           ToText(1 / config.fps) + ", the period of what the model imagines");
  }
  if (options.camera_raise_deg != 0) {
    refuse("--camera-raise-deg", ToText(options.camera_raise_deg) + " with --env model",
           "0: its cameras are those of the data");
  }
}

class ModelEnv : public Env, public Imagination {
 public:
  ModelEnv(const ImaginationOptions& imagination, const EnvOptions& options,
           std::shared_ptr<SharedModel> model, std::shared_ptr<const SceneSet> scenes)
      : model_(std::move(model)), scenes_(std::move(scenes)), imagine_(model_->For("a2v")) {
    CheckFits(options, imagine_.config());
    ModelOptions own;
    own.steps = imagination.env_steps;
    const SamplerOptions sampler = SamplerFor(imagine_.config(), own);
    imagine_ = imagine_.WithSampler(sampler);
    if (imagination.label_imagined) label_ = model_->For("v2a").WithSampler(sampler);
  }

  EnvIdentity Identity() const override {
    return {.simulator = "imagined by a model",
            .settings = {{"env_model_content", FileStamp(model_->options().model)},
                         {"scene_data_content", scenes_->content}}};
  }
  Imagination* AsImagination() override { return this; }

  std::vector<std::string> Tasks() const override {
    std::vector<std::string> names;
    for (const SceneSet::Task& task : scenes_->tasks) names.push_back(task.name);
    return names;
  }
  int NumVariations(const std::string& task) const override {
    return scenes_->tasks[IndexOf(task)].num_scenes;
  }
  // Without recorded commands as long as what is imagined at once.
  int FramesWithoutExpert(const std::string& task) const override {
    return scenes_->tasks[IndexOf(task)].has_commands ? 0 : most_steps();
  }

  Observation Reset(const std::string& task, int variation, uint64_t seed) override {
    trial_ = {.clip = ReadScene(task, variation).first, .labels = {}};
    noise_ = Rng(seed);
    last_seen_ = 0;
    Observation seen = Here();
    Look(seen);
    return seen;
  }

  StepResult Step(const ToolPose& target) override {
    Validate(target, "pose target");
    AIM_CHECK(!trial_.clip.poses.empty());  // a reset comes first
    trial_.clip.poses.push_back(target);
    if (num_unseen() == most_steps()) Imagine();
    return {.observation = Here()};
  }

  bool Success() const override { return false; }

  Demonstration Demo(const std::string& task, int variation, uint64_t seed) override {
    Demonstration demo = Plan(task, variation, seed);
    Reset(task, variation, seed);
    for (size_t i = 1; i < demo.commands.size(); ++i) Step(demo.commands[i]);
    demo.clip = Trial().clip;
    return demo;
  }

  Demonstration Plan(const std::string& task, int variation, uint64_t) override {
    ImaginedScene scene = ReadScene(task, variation);
    if (scene.commands.empty()) {
      throw ConfigError({.where = "a demonstration of " + task,
                         .got = "asked for",
                         .expected = "a task whose episodes have a pose a frame",
                         .fix = ""});
    }
    Demonstration demo;
    demo.clip = std::move(scene.first);
    demo.commands = std::move(scene.commands);
    demo.clip.poses = demo.commands;
    return demo;
  }

  void PlaceCameras(const CameraWish& wish) override {
    if (wish.IsAsTrained()) return;
    throw ConfigError({.where = "--cameras",
                       .got = "to be moved with --env model",
                       .expected = "as-trained: its cameras are those of the data",
                       .fix = ""});
  }

  // Every pixel of what was imagined becomes a square.
  std::vector<uint8_t> RenderReport(int view, int size) override {
    Imagine();
    const Clip& clip = trial_.clip;
    const ClipView seen = FrameOf(clip.views.at(static_cast<size_t>(view)), last_seen_);
    std::vector<uint8_t> rgb;
    for (int row = 0; row < size; ++row) {
      for (int column = 0; column < size; ++column) {
        const int from = row * clip.height / size * clip.width + column * clip.width / size;
        const auto pixel = seen.rgb.begin() + 3 * from;
        rgb.insert(rgb.end(), pixel, pixel + 3);
      }
    }
    return rgb;
  }

  void Look(Observation& seen) override {
    Imagine();
    seen.clip.views.clear();
    for (const ClipView& view : trial_.clip.views) {
      seen.clip.views.push_back(FrameOf(view, last_seen_));
    }
  }

  ImaginedTrial Trial() override {
    Imagine();
    return trial_;
  }

 private:
  size_t IndexOf(const std::string& name) const {
    const std::vector<std::string> names = Tasks();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<size_t>(found - names.begin());
    throw ConfigError({.where = "--task",
                       .got = '"' + name + '"',
                       .expected = "one of " + Join(names),
                       .fix = DidYouMean(name, names)});
  }

  ImaginedScene ReadScene(const std::string& task, int variation) const {
    const size_t index = IndexOf(task);
    const int count = scenes_->tasks[index].num_scenes;
    if (variation < 0 || variation >= count) {
      throw ConfigError(
          {.where = "--variation",
           .got = std::to_string(variation),
           .expected = "0 to " + std::to_string(count - 1) + ", the scenes of " + task,
           .fix = ""});
    }
    ImaginedScene scene = scenes_->read(index, variation);
    imagine_.CheckShape(scene.first, "the scene");
    AIM_CHECK(scene.first.poses.size() == 1);
    scene.first.fps = imagine_.config().fps;
    return scene;
  }

  int most_steps() const { return imagine_.config().num_frames - 1; }
  int num_unseen() const { return static_cast<int>(trial_.clip.poses.size()) - 1 - last_seen_; }

  // What is known without a picture.
  Observation Here() const {
    const Clip& clip = trial_.clip;
    Observation here;
    here.time_s = static_cast<double>(clip.poses.size() - 1) / clip.fps;
    here.clip = {.height = clip.height,
                 .width = clip.width,
                 .fps = clip.fps,
                 .views = {},
                 .poses = {clip.poses.back()},
                 .prompt = clip.prompt};
    return here;
  }

  // A clip of the model from the last picture on: the targets since then, the last one held.
  Clip Unseen() const {
    const Clip& clip = trial_.clip;
    Clip unseen = clip;
    for (ClipView& view : unseen.views) view = FrameOf(view, last_seen_);
    unseen.poses.assign(clip.poses.begin() + last_seen_, clip.poses.end());
    unseen.poses.resize(static_cast<size_t>(imagine_.config().num_frames), clip.poses.back());
    return unseen;
  }

  void Imagine() {
    const int count = num_unseen();
    if (count == 0) return;
    const Rng noise = noise_.Derive(static_cast<uint64_t>(last_seen_), "imagine");
    Clip imagined = Unseen();
    const std::lock_guard turn(model_->turns());
    const GeneratedClip generated = std::move(imagine_.Run({imagined}, {}, noise)[0]);
    for (size_t v = 0; v < imagined.views.size(); ++v) {
      const std::vector<std::vector<uint8_t>> frames = VideoBytes(generated.videos[v]);
      for (size_t i = 1; i < frames.size(); ++i) Append(frames[i], imagined.views[v]);
      for (int i = 1; i <= count; ++i) {
        Append(frames[static_cast<size_t>(i)], trial_.clip.views[v]);
      }
    }
    if (label_) Label(std::move(imagined), count, noise);
    last_seen_ += count;
  }

  static void Append(const std::vector<uint8_t>& frame, ClipView& view) {
    view.rgb.insert(view.rgb.end(), frame.begin(), frame.end());
    ++view.num_frames;
  }

  // From the pictures alone; of the first clip frame 0 as well, the one that is true.
  void Label(Clip imagined, int count, const Rng& noise) {
    imagined.poses.clear();
    const ClipRequest request{
        .first_pose_given = false, .decode_video = false, .temporal_prior = false};
    const GeneratedClip generated = std::move(label_->Run({imagined}, request, noise)[0]);
    const auto begin = generated.poses.begin() + (trial_.labels.empty() ? 0 : 1);
    trial_.labels.insert(trial_.labels.end(), begin, generated.poses.begin() + 1 + count);
  }

  std::shared_ptr<SharedModel> model_;
  std::shared_ptr<const SceneSet> scenes_;
  ClipGenerator imagine_;
  std::optional<ClipGenerator> label_;
  ImaginedTrial trial_;
  Rng noise_{0};
  int last_seen_ = 0;  // frame up to which there are pictures
};

}  // namespace

std::unique_ptr<Env> MakeModelEnv(const ImaginationOptions& imagination, const EnvOptions& options,
                                  const std::shared_ptr<SharedModel>& model,
                                  std::shared_ptr<const SceneSet> scenes) {
  return std::make_unique<ModelEnv>(imagination, options, model, std::move(scenes));
}

}  // namespace aim
