#include "data/lerobot_rows.h"

#include <algorithm>
#include <utility>

#include "data/action_images_files.h"
#include "data/lerobot_columns.h"

namespace aim {
namespace {

using Columns = std::vector<LeRobotColumn>;

std::vector<std::string> PoseNames() { return {kPoseNumberNames.begin(), kPoseNumberNames.end()}; }

template <class Value>
ParquetColumn Typed(const LeRobotColumn& column) {
  std::vector<Value> values;
  values.reserve(column.values.size());
  for (const double value : column.values) values.push_back(static_cast<Value>(value));
  if (column.width > 1) return ListColumn(column.name, std::move(values), column.width);
  return {.name = column.name, .values = std::move(values), .row_ends = {}};
}

// Poses a frame, and which of them are there.
void AddActions(const Episode& episode, Columns& columns) {
  const auto num_frames = static_cast<size_t>(episode.clip.views[0].num_frames);
  LeRobotColumn action{kLeRobotAction, "float32", PoseNames(), kPoseNumbers};
  action.values = action.counted = ActionRows(episode.clip.poses);
  LeRobotColumn valid{kLeRobotValid, "bool", PoseNames(), kPoseNumbers};
  valid.values.assign(action.values.size(), 1);
  for (size_t frame = 0; frame < episode.confidence.size(); ++frame) {
    if (episode.confidence[frame] > 0) continue;  // not decoded: held or between its neighbours
    std::fill_n(valid.values.begin() + static_cast<std::ptrdiff_t>(frame * kPoseNumbers),
                kPoseNumbers, 0.0);
  }
  const std::vector<double> none = ActionRows({ToolPose{Rigid3d(), 0}});
  for (size_t frame = episode.clip.poses.size(); frame < num_frames; ++frame) {
    action.values.insert(action.values.end(), none.begin(), none.end());
  }
  valid.values.resize(action.values.size(), 0);
  columns.push_back(std::move(action));
  columns.push_back(std::move(valid));
}

// Measured poses, or, since LeRobot's policies want a state, the actions once more.
LeRobotColumn State(const Episode& episode, LeRobotColumn actions) {
  actions.name = kLeRobotState;
  if (episode.measured.empty()) return actions;
  return {kLeRobotState, "float32", PoseNames(), kPoseNumbers, ActionRows(episode.measured)};
}

void AddCameras(const Episode& episode, const std::vector<std::string>& names, Columns& columns) {
  for (size_t view = 0; view < names.size(); ++view) {
    const ClipView& from = episode.clip.views[view];
    LeRobotColumn pinhole{kLeRobotIntrinsics + names[view], "float32", {"fx", "fy", "cx", "cy"}, 4};
    LeRobotColumn placed{kLeRobotCamera + names[view], "float32", {}, kLeRobotCameraNumbers};
    for (size_t frame = 0; frame < static_cast<size_t>(from.num_frames); ++frame) {
      const Camera& camera = from.camera.at(frame);
      pinhole.values.insert(pinhole.values.end(), {camera.fx, camera.fy, camera.cx, camera.cy});
      const std::vector<double> matrix = MatrixNumbers(camera.world_from_camera);
      placed.values.insert(placed.values.end(), matrix.begin(), matrix.end());
    }
    columns.push_back(std::move(pinhole));
    columns.push_back(std::move(placed));
  }
}

// LeRobot's own five.
void AddPlaces(int num_frames, const LeRobotRowFacts& facts, Columns& columns) {
  const auto add = [&](const char* name, const char* dtype, double first, double step) {
    LeRobotColumn column{name, dtype, {}};
    for (int frame = 0; frame < num_frames; ++frame) column.values.push_back(first + frame * step);
    columns.push_back(std::move(column));
  };
  add("timestamp", "float32", 0, 1 / facts.fps);
  add("frame_index", "int64", 0, 1);
  add("episode_index", "int64", static_cast<double>(facts.episode), 0);
  add("index", "int64", static_cast<double>(facts.first_row), 1);
  add("task_index", "int64", static_cast<double>(facts.task), 0);
}

}  // namespace

std::vector<double> MatrixNumbers(const Rigid3d& world_from_camera) {
  const Eigen::Matrix<double, 4, 4, Eigen::RowMajor> matrix = ToMatrix(world_from_camera);
  return {matrix.data(), matrix.data() + kLeRobotCameraNumbers};
}

ParquetColumn ToParquet(const LeRobotColumn& column) {
  if (column.dtype == "int64") return Typed<int64_t>(column);
  return column.dtype == "bool" ? Typed<bool>(column) : Typed<float>(column);
}

std::vector<LeRobotColumn> LeRobotRows(const Episode& episode, const LeRobotRowFacts& facts) {
  Columns columns;
  AddActions(episode, columns);
  columns.push_back(State(episode, columns.front()));
  if (facts.has_cameras) AddCameras(episode, facts.cameras, columns);
  if (facts.has_confidence) {
    columns.push_back({kLeRobotConfidence, "float32", {}, 1, episode.confidence});
  }
  AddPlaces(episode.clip.views[0].num_frames, facts, columns);
  return columns;
}

}  // namespace aim
