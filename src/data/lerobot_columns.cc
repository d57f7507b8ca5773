#include "data/lerobot_columns.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/json_reader.h"
#include "data/camera_matrices.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPositionNumbers = 3;

size_t WidthOf(const LeRobotFeature& feature) {
  size_t width = 1;
  for (const int size : feature.shape) width *= static_cast<size_t>(size);
  return width;
}

// Numbers x y z and a rotation as a pose's first seven.
std::array<double, 7> QuaternionPose(const std::vector<double>& numbers) {
  std::array<double, 7> pose{};
  if (numbers.size() == pose.size()) {
    std::copy(numbers.begin(), numbers.end(), pose.begin());
    return pose;
  }
  const Rigid3d moved = RigidFromEulerPose(numbers);
  std::copy_n(moved.translation.data(), kPositionNumbers, pose.begin());
  std::copy_n(moved.rotation.coeffs().data(), 4, pose.begin() + kPositionNumbers);
  return pose;
}

bool HasMovingCameras(const JsonReader& file) {
  const nlohmann::json& views = file.At("views");
  if (!views.is_array()) return false;  // said by who reads it
  return std::any_of(views.begin(), views.end(), [&](const nlohmann::json& view) {
    return view.is_object() && !JsonReader(view, file.Where("views")).Flag("fixed", true);
  });
}

// Those of meta/cameras.json, which hold for all episodes; none where cameras differ or move.
std::vector<CameraTrack> FixedCameras(const fs::path& root) {
  const fs::path path = root / "meta" / "cameras.json";
  if (!fs::exists(path) || HasMovingCameras(JsonReader::OfFile(path))) return {};
  return ReadCamerasJson(path);
}

// A frame without a valid pose has that of the frame before, the first ones that of the first with
// one.
void HoldPoses(const std::vector<bool>& is_valid, std::vector<ToolPose>& poses) {
  const auto first = std::find(is_valid.begin(), is_valid.end(), true) - is_valid.begin();
  std::fill_n(poses.begin(), first, poses[static_cast<size_t>(first)]);
  for (size_t frame = static_cast<size_t>(first); frame < poses.size(); ++frame) {
    if (!is_valid[frame]) poses[frame] = poses[frame - 1];
  }
}

}  // namespace

std::string LeRobotCameraName(const std::string& key) {
  const std::string prefix = kLeRobotPictures;
  return key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

LeRobotColumns::LeRobotColumns(const fs::path& root, const LeRobotIndex& index)
    : action_(FindPose(index, kLeRobotAction)), state_(FindPose(index, kLeRobotState)) {
  if (action_) Need(*action_);
  if (state_) Need(*state_);
  if (const LeRobotFeature* valid = index.Find(kLeRobotValid); action_ && valid != nullptr) {
    valid_width_ = WidthOf(*valid);
    Need(kLeRobotValid);
  }
  has_confidence_ = action_ && index.Find(kLeRobotConfidence) != nullptr;
  if (has_confidence_) Need(kLeRobotConfidence);
  std::vector<std::string> without;
  const std::vector<CameraTrack> tracks = FixedCameras(root);
  for (const std::string& key : index.cameras) {
    const std::string name = LeRobotCameraName(key);
    const CameraPlaces places = FindCamera(index, name, tracks);
    const bool is_placed = !places.world_from_camera.empty() || !places.position_and_euler.empty();
    if (!places.track && (places.intrinsics.empty() || !is_placed)) {
      without.push_back(name + (is_placed ? " (its intrinsics)" : ""));
    }
    for (const std::string* column :
         {&places.intrinsics, &places.world_from_camera, &places.position_and_euler}) {
      if (!column->empty()) Need(*column);
    }
    cameras_[name] = places;
  }
  if (!without.empty()) {
    lacks_.push_back(
        "no calibration of " + Join(without) + " (columns camera_intrinsics.<camera> " +
        "and camera_extrinsics_c2w.<camera>, or meta/cameras.json): usable for video " + "only");
  }
  if (!action_) {
    lacks_.push_back(
        "its action is no tool pose with names that say so (x y z, qx qy qz qw or roll pitch yaw, "
        "gripper_open): videos without poses");
  } else if (!action_->gripper) {
    lacks_.push_back("its action does not tell the gripper, which is taken to be open");
  }
}

std::optional<LeRobotColumns::PosePlaces> LeRobotColumns::FindPose(const LeRobotIndex& index,
                                                                   const std::string& prefix) {
  if (const LeRobotFeature* feature = index.Find(prefix)) {
    const auto places = [&](std::vector<std::string> names) {
      std::vector<Place> found;
      for (const std::string& name : names) {
        const auto at = std::find(feature->names.begin(), feature->names.end(), name);
        if (at == feature->names.end()) return std::vector<Place>();
        found.push_back(
            {prefix, WidthOf(*feature), static_cast<size_t>(at - feature->names.begin())});
      }
      return found;
    };
    PosePlaces pose{.numbers = places({"x", "y", "z", "qx", "qy", "qz", "qw"}), .gripper = {}};
    const bool is_quaternion = !pose.numbers.empty();
    if (!is_quaternion) pose.numbers = places({"x", "y", "z", "roll", "pitch", "yaw"});
    if (const auto open = places({"gripper_open"}); !open.empty()) pose.gripper = open[0];
    if (const auto closed = places({"gripper_closed"}); !pose.gripper && !closed.empty()) {
      pose.gripper = closed[0];
      pose.is_closed = true;
    }
    // Euler angles without a gripper that says which way it goes are often differences.
    if (!pose.numbers.empty() && (is_quaternion || pose.gripper)) return pose;
  }
  const LeRobotFeature* position = index.Find(prefix + ".cartesian_position");
  const LeRobotFeature* gripper = index.Find(prefix + ".gripper_position");
  if (position == nullptr || WidthOf(*position) != kEulerPoseNumbers || gripper == nullptr ||
      WidthOf(*gripper) != 1) {
    return std::nullopt;
  }
  PosePlaces droid{.numbers = {}, .gripper = Place{gripper->key, 1, 0}, .is_closed = true};
  for (size_t at = 0; at < kEulerPoseNumbers; ++at) {
    droid.numbers.push_back({position->key, kEulerPoseNumbers, at});
  }
  return droid;
}

LeRobotColumns::CameraPlaces LeRobotColumns::FindCamera(
    const LeRobotIndex& index, const std::string& name,
    const std::vector<CameraTrack>& tracks) const {
  const auto column = [&](const std::string& prefix, size_t width) -> std::string {
    const LeRobotFeature* feature = index.Find(prefix + name);
    return feature != nullptr && WidthOf(*feature) == width ? feature->key : "";
  };
  CameraPlaces places{.intrinsics = column(kLeRobotIntrinsics, 4),
                      .world_from_camera = column(kLeRobotCamera, kLeRobotCameraNumbers),
                      .position_and_euler = column(kDroidCamera, kEulerPoseNumbers),
                      .track = {}};
  for (const CameraTrack& track : tracks) {
    if (track.name == name || track.name == kLeRobotPictures + name) places.track = track;
  }
  return places;
}

void LeRobotColumns::Need(const PosePlaces& pose) {
  for (const Place& place : pose.numbers) Need(place.column);
  if (pose.gripper) Need(pose.gripper->column);
}

void LeRobotColumns::Need(const std::string& column) {
  if (std::find(needed_.begin(), needed_.end(), column) == needed_.end()) needed_.push_back(column);
}

std::vector<ToolPose> LeRobotColumns::Poses(const ParquetTable& rows, const PosePlaces& places,
                                            const std::vector<bool>& is_valid) const {
  std::map<std::string, std::vector<double>> columns;
  const auto value = [&](const Place& place, size_t frame) {
    auto found = columns.find(place.column);
    if (found == columns.end()) {
      found = columns.emplace(place.column, rows.Numbers(place.column, place.width)).first;
    }
    return found->second.at(frame * place.width + place.at);
  };
  std::vector<ToolPose> poses(is_valid.size());
  for (size_t frame = 0; frame < is_valid.size(); ++frame) {
    if (!is_valid[frame]) continue;
    std::vector<double> numbers;
    for (const Place& place : places.numbers) numbers.push_back(value(place, frame));
    std::array<double, kPoseNumbers> pose{};
    const std::array<double, 7> moved = QuaternionPose(numbers);
    std::copy(moved.begin(), moved.end(), pose.begin());
    const double gripper = places.gripper ? value(*places.gripper, frame) : 1;
    pose.back() = places.is_closed ? 1 - gripper : gripper;
    poses[frame] = ToolPoseFromNumbers(
        pose, rows.Where(places.numbers[0].column) + " of frame " + std::to_string(frame));
  }
  return poses;
}

std::vector<bool> LeRobotColumns::ValidFrames(const ParquetTable& rows, size_t num_frames) const {
  std::vector<bool> is_valid(num_frames, true);
  if (valid_width_ == 0) return is_valid;
  const std::vector<double> flags = rows.Numbers(kLeRobotValid, valid_width_);
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i] < 0.5) is_valid.at(i / valid_width_) = false;
  }
  return is_valid;
}

void LeRobotColumns::FillCamera(const ParquetTable& rows, size_t num_frames,
                                const CameraPlaces& places, const Clip& clip,
                                CameraTrack& track) const {
  const bool is_placed = !places.world_from_camera.empty() || !places.position_and_euler.empty();
  if (!places.track && (places.intrinsics.empty() || !is_placed)) return;
  if (places.track) {
    RequireCameraSize(places.track->frames[0], clip.width, clip.height,
                      "meta/cameras.json: " + track.name);
    track.frames = places.track->frames;
  }
  if (places.intrinsics.empty() && !is_placed) return;
  std::vector<Camera> frames;
  const std::string where = rows.Where(track.name);
  const auto numbers = [&](const std::string& column, size_t width) {
    return column.empty() ? std::vector<double>() : rows.Numbers(column, width);
  };
  const std::vector<double> pinhole = numbers(places.intrinsics, 4);
  const std::vector<double> matrix = numbers(places.world_from_camera, kLeRobotCameraNumbers);
  const std::vector<double> euler =
      matrix.empty() ? numbers(places.position_and_euler, kEulerPoseNumbers) : matrix;
  for (size_t frame = 0; frame < num_frames; ++frame) {
    Camera camera = places.track ? places.track->at(frame) : Camera();
    camera.width = clip.width;
    camera.height = clip.height;
    const std::string where_frame = where + " of frame " + std::to_string(frame);
    if (!pinhole.empty()) {
      const double* at = pinhole.data() + frame * 4;
      std::tie(camera.fx, camera.fy, camera.cx, camera.cy) = std::tie(at[0], at[1], at[2], at[3]);
    }
    if (!matrix.empty()) {
      const double* at = matrix.data() + frame * kLeRobotCameraNumbers;
      camera.world_from_camera = RigidFromMatrix(
          Eigen::Map<const Eigen::Matrix<double, 4, 4, Eigen::RowMajor>>(at), where_frame);
    } else if (!euler.empty()) {
      camera.world_from_camera = RigidFromEulerPose(
          std::span(euler).subspan(frame * kEulerPoseNumbers, kEulerPoseNumbers));
    }
    Validate(camera, where_frame);
    frames.push_back(camera);
  }
  const bool is_fixed = std::all_of(frames.begin(), frames.end(), [&](const Camera& camera) {
    return IsSameCamera(camera, frames[0]);
  });
  if (is_fixed) frames.resize(1);
  track.frames = std::move(frames);
}

// A state that is the action in every row was not measured (lerobot_rows.cc).
bool LeRobotColumns::IsActionAgain(const ParquetTable& rows) const {
  return action_ && action_->numbers[0].column == kLeRobotAction &&
         state_->numbers[0].column == kLeRobotState &&
         rows.Numbers(kLeRobotState, state_->numbers[0].width) ==
             rows.Numbers(kLeRobotAction, action_->numbers[0].width);
}

void LeRobotColumns::Fill(const ParquetTable& rows, int num_frames, Episode& episode) const {
  const auto count = static_cast<size_t>(num_frames);
  for (ClipView& view : episode.clip.views) {
    FillCamera(rows, count, cameras_.at(view.camera.name), episode.clip, view.camera);
  }
  if (state_ && !IsActionAgain(rows)) {
    episode.measured = Poses(rows, *state_, std::vector<bool>(count, true));
  }
  if (!action_) return;
  std::vector<bool> is_valid = ValidFrames(rows, count);
  // Ours say of a pose that was not decoded that it is not valid; it is there all the same.
  if (has_confidence_) is_valid.assign(count, true);
  const auto num_valid = static_cast<size_t>(std::count(is_valid.begin(), is_valid.end(), true));
  if (num_valid == 0) return;
  episode.clip.poses = Poses(rows, *action_, is_valid);
  if (num_valid == 1 && is_valid[0]) {
    episode.clip.poses.resize(1);
    return;
  }
  if (has_confidence_) {
    episode.confidence = rows.Numbers(kLeRobotConfidence);
    for (double& confidence : episode.confidence) confidence = std::clamp(confidence, 0.0, 1.0);
  }
  if (num_valid == count) return;
  HoldPoses(is_valid, episode.clip.poses);
  episode.confidence.resize(count, 1);
  for (size_t frame = 0; frame < count; ++frame) {
    if (!is_valid[frame]) episode.confidence[frame] = 0;
  }
}

}  // namespace aim
