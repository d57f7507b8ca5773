#include "aim/pipeline/scene_data.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/data/data_options.h"
#include "aim/data/fit_view.h"
#include "pipeline/clip_rate.h"
#include "pipeline/truth_clips.h"

namespace aim {
namespace {

constexpr const char* kTaskOfNoName = "episodes";  // of data that knows no tasks

// The episodes of a task, and which of them have commands.
struct TaskScenes {
  std::string name;
  std::vector<EpisodeRef> episodes;
  bool has_commands = true;
};

struct Scenes {
  DataSet data;
  BundleConfig config;
  std::vector<TaskScenes> tasks = {};
};

bool HasCommands(const OpenEpisode& episode, const BundleConfig& config) {
  const Clip& clip = episode.facts().clip;
  return clip.poses.size() >= 2 && clip.poses.size() == static_cast<size_t>(episode.num_frames()) &&
         IsModelRate(clip.fps, config.fps);
}

TaskScenes& TaskNamed(std::vector<TaskScenes>& tasks, const std::string& name) {
  const auto found = std::find_if(tasks.begin(), tasks.end(),
                                  [&](const TaskScenes& task) { return task.name == name; });
  return found == tasks.end() ? tasks.emplace_back(TaskScenes{.name = name, .episodes = {}})
                              : *found;
}

// Everything of an episode but its pictures is looked at here.
void AddScene(const EpisodeRef& ref, Scenes& scenes) {
  const std::unique_ptr<OpenEpisode> episode = scenes.data.Open(ref);
  const Episode& facts = episode->facts();
  CheckViews(ref, facts.clip, scenes.config);
  RequireCameras(facts.clip, episode->where());
  if (facts.clip.poses.empty()) {
    throw UnfitError({.where = episode->where(),
                      .got = "without a pose of its first frame",
                      .expected = "one: what is imagined begins with it",
                      .fix = ""});
  }
  TaskScenes& task = TaskNamed(scenes.tasks, facts.task.empty() ? kTaskOfNoName : facts.task);
  task.episodes.push_back(ref);
  task.has_commands = task.has_commands && HasCommands(*episode, scenes.config);
}

ImaginedScene ReadScene(const Scenes& scenes, const EpisodeRef& ref) {
  const BundleConfig& config = scenes.config;
  const std::unique_ptr<OpenEpisode> opened = scenes.data.Open(ref);
  ImaginedScene scene;
  if (HasCommands(*opened, config)) scene.commands = opened->facts().clip.poses;
  scene.first = FitClip(opened->Read({0, 1}).clip, config.image_width, config.image_height);
  for (ClipView& view : scene.first.views) view.camera.frames.resize(1, view.camera.frames.at(0));
  scene.first.poses.resize(1);
  return scene;
}

}  // namespace

SceneSet ScenesOfData(const ImaginationOptions& options, const BundleConfig& config) {
  const DataOptions data{
      .path = options.scene_data, .layout = options.scene_layout, .views = options.scene_views};
  const auto scenes = std::make_shared<Scenes>(Scenes{.data = data.Open(), .config = config});
  std::vector<Skipped> skipped;
  uint64_t content = 0;
  for (const EpisodeRef& ref : scenes->data.episodes()) {
    if (!TryOrSkip(ref.name, skipped, [&] { AddScene(ref, *scenes); })) continue;
    content = StableHash(ref.name + scenes->data.Stamp(ref), content);
  }
  RequireOneRead(options.scene_data, scenes->data.episodes().size(), skipped);
  SceneSet set{.tasks = {}, .content = HexText(content), .read = [scenes](size_t task, int scene) {
                 return ReadScene(*scenes,
                                  scenes->tasks.at(task).episodes.at(static_cast<size_t>(scene)));
               }};
  for (const TaskScenes& task : scenes->tasks) {
    set.tasks.push_back({.name = task.name,
                         .num_scenes = static_cast<int>(task.episodes.size()),
                         .has_commands = task.has_commands});
  }
  return set;
}

std::function<std::unique_ptr<Env>(const EnvOptions&)> ImaginedEnvs(
    const ImaginationOptions& options, const std::shared_ptr<SharedModel>& model) {
  struct Shared {
    std::mutex listing;
    std::shared_ptr<const SceneSet> scenes;  // once, for all workers
  };
  return [options, model, shared = std::make_shared<Shared>()](const EnvOptions& env) {
    const std::lock_guard lock(shared->listing);
    if (!shared->scenes) {
      const BundleConfig config = model->For("a2v").config();
      shared->scenes = std::make_shared<const SceneSet>(ScenesOfData(options, config));
    }
    return MakeModelEnv(options, env, model, shared->scenes);
  };
}

}  // namespace aim
