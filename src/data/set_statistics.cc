#include "aim/data/set_statistics.h"

#include <algorithm>

#include "aim/base/text.h"
#include "aim/codec/rig_check.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr size_t kPromptSample = 5;

void AddToTask(const Episode& episode, int64_t count, TaskSummary& task) {
  task.min_frames = task.num_episodes == 0 ? count : std::min(task.min_frames, count);
  task.max_frames = std::max(task.max_frames, count);
  task.num_frames += count;
  ++task.num_episodes;
  ++task.variations[episode.variation];
  if (task.prompts.size() < kPromptSample) task.prompts.insert(episode.clip.prompt);
}

void AddPoses(const Clip& clip, PoseSummary& summary) {
  ++summary.num_episodes;
  summary.num_poses += static_cast<int64_t>(clip.poses.size());
  summary.path_m.Add(TipPathLength(clip));
  for (size_t k = 0; k < clip.poses.size(); ++k) {
    const ToolPose& pose = clip.poses[k];
    for (size_t axis = 0; axis < 3; ++axis) {
      summary.tip_m[axis].Add(pose.world_from_tool.translation[static_cast<Eigen::Index>(axis)]);
    }
    summary.open_sum += pose.gripper_open;
    if (k > 0 && !Difference(clip.poses[k - 1], pose).is_same_gripper) {
      ++summary.num_gripper_changes;
    }
  }
}

void AddSight(const Clip& clip, std::map<std::string, SightSummary>& sight) {
  const std::vector<double> seen = LookAtTool(CamerasOf(clip), clip.poses).seen;
  for (size_t v = 0; v < seen.size(); ++v) {
    SightSummary& view = sight[clip.views[v].camera.name];
    view.num_frames += static_cast<int64_t>(clip.poses.size());
    view.num_seen += seen[v] * static_cast<double>(clip.poses.size());
  }
}

// Keys of a JSON object are texts.
json CountsJson(const std::map<int, int64_t>& counts) {
  json object = json::object();
  for (const auto& [number, count] : counts) object[std::to_string(number)] = count;
  return object;
}

json ExtentJson(const Extent& extent) {
  if (extent.empty()) return nullptr;
  return {{"min", extent.min}, {"max", extent.max}};
}

json RatioJson(double sum, int64_t count) {
  return count == 0 ? json() : json(sum / static_cast<double>(count));
}

json TaskJson(const TaskSummary& task) {
  return {{"episodes", task.num_episodes},
          {"variations", CountsJson(task.variations)},
          {"frames",
           {{"min", task.min_frames},
            {"mean", RatioJson(static_cast<double>(task.num_frames), task.num_episodes)},
            {"max", task.max_frames}}},
          {"prompts", task.prompts}};
}

json PosesJson(const SetStatistics& statistics) {
  const PoseSummary& poses = statistics.poses;
  return {{"episodes", poses.num_episodes},
          {"first_pose_episodes", statistics.num_first_pose},
          {"tip_m",
           {{"x", ExtentJson(poses.tip_m[0])},
            {"y", ExtentJson(poses.tip_m[1])},
            {"z", ExtentJson(poses.tip_m[2])}}},
          {"path_m", ExtentJson(poses.path_m)},
          {"gripper_open_share", RatioJson(poses.open_sum, poses.num_poses)},
          {"gripper_changes", poses.num_gripper_changes}};
}

}  // namespace

void Extent::Add(double value) {
  min = std::min(min, value);
  max = std::max(max, value);
}

double TipPathLength(const Clip& clip) {
  double length_m = 0;
  for (size_t k = 1; k < clip.poses.size(); ++k) {
    length_m += Difference(clip.poses[k - 1], clip.poses[k]).position_m;
  }
  return length_m;
}

void Add(const OpenEpisode& episode, SetStatistics& statistics) {
  const Clip& clip = episode.facts().clip;
  AddToTask(episode.facts(), episode.num_frames(), statistics.tasks[episode.facts().task]);
  ++statistics.num_episodes;
  statistics.num_frames += episode.num_frames();
  ++statistics.views[static_cast<int>(clip.views.size())];
  ++statistics.sizes[SizeText(clip.width, clip.height)];
  ++statistics.rates[RateText(clip.fps)];
  statistics.duration_s.Add(episode.num_frames() / clip.fps);
  const bool is_calibrated = IsCalibrated(clip);
  statistics.num_calibrated += is_calibrated ? 1 : 0;
  if (clip.poses.size() < 2) {
    statistics.num_first_pose += static_cast<int64_t>(clip.poses.size());
    return;
  }
  AddPoses(clip, statistics.poses);
  if (is_calibrated) AddSight(clip, statistics.sight);
}

json ToJson(const SetStatistics& statistics) {
  json tasks = json::object();
  for (const auto& [name, task] : statistics.tasks) tasks[name] = TaskJson(task);
  json seen = json::object();
  for (const auto& [name, view] : statistics.sight) {
    seen[name] = RatioJson(view.num_seen, view.num_frames);
  }
  return {{"episodes", statistics.num_episodes},
          {"frames", statistics.num_frames},
          {"tasks", tasks},
          {"views", CountsJson(statistics.views)},
          {"sizes", statistics.sizes},
          {"fps", statistics.rates},
          {"seconds", ExtentJson(statistics.duration_s)},
          {"poses", PosesJson(statistics)},
          {"cameras", {{"calibrated_episodes", statistics.num_calibrated}, {"tool_seen", seen}}}};
}

}  // namespace aim
