// A textured gripper that moves before a textured table, drawn for the calibration doctor.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "aim/base/rng.h"
#include "aim/codec/pose_csv.h"
#include "aim/media/video.h"
#include "support/scene.h"

namespace aim::testing {

struct DrawnClipOptions {
  int num_frames = 36;
  int num_views = 2;
  int size_px = 128;
  bool moves = true;
  bool grips = true;          // the gripper closes in the middle of the clip
  bool wide_along_y = true;   // the hand; otherwise it is as deep as wide
  double yaw_rad = 0.6;       // at 0.6 both views see the fingers from the side
  bool side_by_side = false;  // the second camera stands a centimetre beside the first
};

struct DrawnClip {
  int size_px = 0;  // of the pictures, square
  std::vector<CameraTrack> cameras;
  std::vector<ToolPose> poses;
  std::vector<std::vector<uint8_t>> views;  // [T, H, W, 3]
};

// A path that turns in all three directions, with a rest in the middle where the gripper closes.
inline std::vector<ToolPose> DrawnPath(const DrawnClipOptions& options) {
  std::vector<ToolPose> poses;
  const Eigen::Quaterniond down(0, 1, 0, 0);
  const int rest = 6;
  const int half = (options.num_frames - rest) / 2;
  for (int frame = 0; frame < options.num_frames; ++frame) {
    const int moving = frame < half ? frame : std::max(half, frame - rest);
    const double phase = options.moves ? 4.5 * moving / options.num_frames : 0.0;
    const Eigen::Vector3d tip(0.25 + 0.15 * std::sin(1.3 * phase), 0.2 * std::sin(phase + 0.4),
                              0.98 + 0.13 * std::cos(1.7 * phase));
    const Eigen::Quaterniond turn(
        Eigen::AngleAxisd(0.5 * std::sin(phase), Eigen::Vector3d::UnitX()) *
        Eigen::AngleAxisd(0.35 * std::cos(1.4 * phase), Eigen::Vector3d::UnitY()) *
        Eigen::AngleAxisd(options.yaw_rad + 0.3 * std::sin(0.7 * phase), Eigen::Vector3d::UnitZ()));
    const double open = options.grips && frame >= half + rest / 2 ? 0.0 : 1.0;
    poses.push_back({{(turn * down).normalized(), tip}, open});
  }
  return poses;
}

// Colours of cells of a centimetre and a half, in the frame of what they belong to.
inline std::array<uint8_t, 3> CellColor(const Eigen::Vector3d& point, uint64_t what, int grey) {
  const auto cell = [](double x) { return static_cast<int64_t>(std::floor(x / 0.015 + 0.5)); };
  const std::string key = std::to_string(cell(point.x())) + "," + std::to_string(cell(point.y())) +
                          "," + std::to_string(cell(point.z()));
  const uint64_t hash = StableHash(key, what);
  std::array<uint8_t, 3> color{};
  for (size_t c = 0; c < 3; ++c) {
    const int value = grey + static_cast<int>((hash >> (8 * c)) & 63) - 32;
    color[c] = static_cast<uint8_t>(std::clamp(value, 0, 255));
  }
  return color;
}

// One picture: nearest points win.
class DrawnPicture {
 public:
  explicit DrawnPicture(const Camera& camera)
      : camera_(camera),
        depth_(static_cast<size_t>(camera.width * camera.height),
               std::numeric_limits<double>::infinity()),
        rgb_(3 * depth_.size(), 90) {}

  void Splat(const Eigen::Vector3d& p_in_world, const std::array<uint8_t, 3>& color) {
    const auto projection = Project(camera_, p_in_world);
    if (!projection) return;
    const int column = static_cast<int>(std::floor(projection->uv.x()));
    const int row = static_cast<int>(std::floor(projection->uv.y()));
    if (column < 0 || row < 0 || column >= camera_.width || row >= camera_.height) return;
    const auto pixel = static_cast<size_t>(row * camera_.width + column);
    if (depth_[pixel] <= projection->depth_m) return;
    depth_[pixel] = projection->depth_m;
    std::copy(color.begin(), color.end(), rgb_.begin() + static_cast<std::ptrdiff_t>(3 * pixel));
  }

  const std::vector<uint8_t>& rgb() const { return rgb_; }

 private:
  const Camera& camera_;
  std::vector<double> depth_;
  std::vector<uint8_t> rgb_;
};

// All points of a box's surface, 4 mm apart.
inline void SplatBox(DrawnPicture& picture, const Rigid3d& world_from_tool,
                     const Eigen::Vector3d& low, const Eigen::Vector3d& high, uint64_t what,
                     int grey) {
  constexpr double kStepM = 0.004;
  for (double x = low.x(); x <= high.x(); x += kStepM) {
    for (double y = low.y(); y <= high.y(); y += kStepM) {
      for (double z = low.z(); z <= high.z(); z += kStepM) {
        const bool inside = x > low.x() + kStepM && x < high.x() - 2 * kStepM &&
                            y > low.y() + kStepM && y < high.y() - 2 * kStepM &&
                            z > low.z() + kStepM && z < high.z() - 2 * kStepM;
        if (inside) continue;
        const Eigen::Vector3d point(x, y, z);
        picture.Splat(world_from_tool * point, CellColor(point, what, grey));
      }
    }
  }
}

inline void DrawGripper(DrawnPicture& picture, const ToolPose& pose, bool wide_along_y) {
  const double wide = wide_along_y ? 0.10 : 0.05;
  const double deep = wide_along_y ? 0.03 : 0.05;
  const Rigid3d& tool = pose.world_from_tool;
  SplatBox(picture, tool, {-deep, -wide, -0.11}, {deep, wide, -0.05}, 1, 200);
  SplatBox(picture, tool, {-0.04, -0.04, -0.35}, {0.04, 0.04, -0.11}, 2, 170);
  const double gap = 0.008 + 0.034 * pose.gripper_open;
  SplatBox(picture, tool, {-0.01, gap, -0.05}, {0.01, gap + 0.02, 0}, 3, 40);
  SplatBox(picture, tool, {-0.01, -gap - 0.02, -0.05}, {0.01, -gap, 0}, 4, 40);
}

// The table, once a view: it stays.
inline std::vector<std::pair<Eigen::Vector3d, std::array<uint8_t, 3>>> TablePoints() {
  std::vector<std::pair<Eigen::Vector3d, std::array<uint8_t, 3>>> points;
  for (double x = -0.9; x < 1.3; x += 0.008) {
    for (double y = -1.1; y < 1.1; y += 0.008) {
      const Eigen::Vector3d point(x, y, 0.75);
      points.emplace_back(point, CellColor(0.4 * point, 5, 120));
    }
  }
  return points;
}

inline DrawnClip DrawPoses(const std::vector<ToolPose>& poses, const DrawnClipOptions& options) {
  Rng rng(11);
  std::vector<Camera> rig =
      MakeCameraRig({.num_views = std::max(2, options.num_views), .size_px = options.size_px}, rng);
  if (options.side_by_side) {
    rig[1] = rig[0];
    rig[1].world_from_camera.translation = rig[0].world_from_camera * Eigen::Vector3d(0.01, 0, 0);
  }
  DrawnClip clip{.size_px = options.size_px, .cameras = {}, .poses = poses, .views = {}};
  const auto table = TablePoints();
  for (int view = 0; view < options.num_views; ++view) {
    const Camera& camera = rig[static_cast<size_t>(view)];
    clip.cameras.push_back({"cam" + std::to_string(view), {camera}});
    DrawnPicture empty(camera);
    for (const auto& [point, color] : table) empty.Splat(point, color);
    std::vector<uint8_t> video;
    for (const ToolPose& pose : clip.poses) {
      DrawnPicture picture = empty;
      DrawGripper(picture, pose, options.wide_along_y);
      video.insert(video.end(), picture.rgb().begin(), picture.rgb().end());
    }
    clip.views.push_back(std::move(video));
  }
  return clip;
}

inline DrawnClip DrawClip(const DrawnClipOptions& options) {
  return DrawPoses(DrawnPath(options), options);
}

// view0.mp4, ..., poses.csv, cameras.json.
inline void WriteDrawnClip(const std::filesystem::path& folder, const DrawnClip& clip,
                           double period_s = 0.1) {
  for (size_t view = 0; view < clip.views.size(); ++view) {
    WriteVideo(folder / ("view" + std::to_string(view) + ".mp4"),
               {clip.size_px, clip.size_px, 1 / period_s}, clip.views[view], {.lossless = true});
  }
  WritePosesCsv(folder / "poses.csv", clip.poses, period_s);
  WriteCamerasJson(folder / "cameras.json", clip.cameras);
}

}  // namespace aim::testing
