#include "gallery/scene.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "aim/base/options.h"
#include "aim/codec/action_image.h"
#include "aim/media/filmstrip.h"
#include "aim/report/line_chart.h"
#include "aim/report/numbers.h"
#include "aim/report/template.h"

namespace aim {
namespace {

constexpr double kSceneWidth = 400;  // of the drawing, in its own units
constexpr double kSceneHeight = 300;
constexpr double kSceneMargin = 26;
constexpr double kPyramidShare = 0.14;  // of the scene's size: how deep a camera's pyramid is
constexpr int kToolMarks = 5;           // along the path
constexpr size_t kSceneColors = 6;      // style.mustache

using Points = std::vector<Eigen::Vector3d>;

struct SceneLine {
  std::string style;
  Points points;  // in the world
};

struct SceneLabel {
  std::string style;
  std::string text;
  Eigen::Vector3d at;
};

// What is drawn, in the world.
struct Scene {
  std::vector<SceneLine> lines;
  std::vector<SceneLabel> labels;
  std::vector<SceneLine> dots;  // of one point each
};

// Rows: what goes to the right and what goes up in the drawing.
using Projector = Eigen::Matrix<double, 2, 3>;

Projector FromAbove() {
  Projector projector;
  projector << 1, 0, 0, 0, 1, 0;
  return projector;
}

// Turned about z by 35 degrees, seen from 25 degrees above.
Projector FromACorner() {
  const double turn_rad = 35 * kDegree;
  const double tilt_rad = 25 * kDegree;
  Projector projector;
  projector << std::cos(turn_rad), std::sin(turn_rad), 0, -std::sin(tilt_rad) * std::sin(turn_rad),
      std::sin(tilt_rad) * std::cos(turn_rad), std::cos(tilt_rad);
  return projector;
}

// From the world to the drawing, in which y goes down.
class Sheet {
 public:
  Sheet(const Projector& projector, const Scene& scene) : projector_(projector) {
    Eigen::AlignedBox2d box;
    for (const SceneLine& line : scene.lines) {
      for (const Eigen::Vector3d& point : line.points) box.extend(projector_ * point);
    }
    middle_ = box.center();
    const Eigen::Vector2d size = box.sizes().cwiseMax(1e-6);
    scale_ = std::min((kSceneWidth - 2 * kSceneMargin) / size.x(),
                      (kSceneHeight - 2 * kSceneMargin) / size.y());
  }

  double scale() const { return scale_; }  // units a metre

  Eigen::Vector2d At(const Eigen::Vector3d& point) const {
    const Eigen::Vector2d from_middle = scale_ * (projector_ * point - middle_);
    return {kSceneWidth / 2 + from_middle.x(), kSceneHeight / 2 - from_middle.y()};
  }

 private:
  Projector projector_;
  Eigen::Vector2d middle_;
  double scale_ = 1;
};

// The largest side of the box around cameras and tip.
double SizeOf(const Clip& clip) {
  Eigen::AlignedBox3d box;
  for (const ClipView& view : clip.views) {
    for (const Camera& camera : view.camera.frames) {
      box.extend(camera.world_from_camera.translation);
    }
  }
  for (const ToolPose& pose : clip.poses) box.extend(pose.world_from_tool.translation);
  return std::max(box.sizes().maxCoeff(), 0.05);
}

// Its apex, and its corners around.
void AddPyramid(const CameraTrack& track, size_t view, double depth_m, Scene& scene) {
  const std::string style = "line" + std::to_string(view % kSceneColors);
  const Camera& camera = track.at(0);
  const Eigen::Vector3d apex = camera.world_from_camera.translation;
  Points corners;
  for (const auto& [u, v] : {std::pair(0, 0), std::pair(1, 0), std::pair(1, 1), std::pair(0, 1)}) {
    const double x = (u * camera.width - camera.cx) / camera.fx;
    const double y = (v * camera.height - camera.cy) / camera.fy;
    corners.push_back(camera.world_from_camera * (depth_m * Eigen::Vector3d(x, y, 1)));
    scene.lines.push_back({style + " thin", {apex, corners.back()}});
  }
  corners.push_back(corners[0]);
  scene.lines.push_back({style, corners});
  scene.labels.push_back({style, ViewLabel(track, view), apex});
  if (track.frames.size() < 2) return;
  SceneLine path{style + " dashed", {}};
  for (const std::span<const Camera> part : Stretches(std::span<const Camera>(track.frames))) {
    path.points.push_back(part[0].world_from_camera.translation);
  }
  scene.lines.push_back(std::move(path));
}

void AddPath(std::span<const ToolPose> poses, Scene& scene) {
  if (poses.empty()) return;
  SceneLine path{"tippath", {}};
  for (const std::span<const ToolPose> part : Stretches(poses)) {
    path.points.push_back(part[0].world_from_tool.translation);
  }
  path.points.push_back(poses.back().world_from_tool.translation);
  for (const int frame : SpreadFrames(static_cast<int>(poses.size()), kToolMarks)) {
    const std::array<Eigen::Vector3d, 3> anchors = AnchorPoints(poses[static_cast<size_t>(frame)]);
    scene.lines.push_back({"toolx", {anchors[0], anchors[1]}});
    scene.lines.push_back({"toolz", {anchors[0], anchors[2]}});
  }
  scene.dots.push_back({"tipstart", {path.points.front()}});
  scene.dots.push_back({"tipend", {path.points.back()}});
  scene.lines.push_back(std::move(path));
}

Scene SceneOf(const Clip& clip) {
  Scene scene;
  const double size_m = SizeOf(clip);
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const CameraTrack& track = clip.views[v].camera;
    if (!track.frames.empty()) AddPyramid(track, v, kPyramidShare * size_m, scene);
  }
  AddPath(clip.poses, scene);
  return scene;
}

std::string CoordinateText(double value) { return NumberText(value, 1); }

// 1, 2 or 5 times a power of ten that is about a quarter of the drawing wide.
double MeasureLength(double units_a_metre) {
  const double length_m = kSceneWidth / 4 / units_a_metre;
  const double power = std::pow(10.0, std::floor(std::log10(length_m)));
  for (const double digit : {5.0, 2.0}) {
    if (digit * power <= length_m) return digit * power;
  }
  return power;
}

nlohmann::json LinesJson(const std::vector<SceneLine>& lines, const Sheet& sheet) {
  nlohmann::json list = nlohmann::json::array();
  for (const SceneLine& line : lines) {
    std::string points;
    for (const Eigen::Vector3d& point : line.points) {
      const Eigen::Vector2d at = sheet.At(point);
      points += (points.empty() ? "" : " ") + CoordinateText(at.x()) + "," + CoordinateText(at.y());
    }
    const Eigen::Vector2d first = sheet.At(line.points[0]);
    list.push_back({{"style", line.style},
                    {"points", points},
                    {"x", CoordinateText(first.x())},
                    {"y", CoordinateText(first.y())}});
  }
  return list;
}

// Those that would stand on one another are moved down.
nlohmann::json LabelsJson(const std::vector<SceneLabel>& labels, const Sheet& sheet) {
  constexpr double kLineHeight = 12;
  constexpr double kLabelWidth = 50;
  nlohmann::json list = nlohmann::json::array();
  std::vector<Eigen::Vector2d> taken;
  for (const SceneLabel& label : labels) {
    Eigen::Vector2d at = sheet.At(label.at) + Eigen::Vector2d(4, -4);
    const bool is_right = at.x() > 0.75 * kSceneWidth;
    const auto hides = [&](const Eigen::Vector2d& other) {
      return std::abs(other.x() - at.x()) < kLabelWidth &&
             std::abs(other.y() - at.y()) < kLineHeight;
    };
    while (std::any_of(taken.begin(), taken.end(), hides)) at.y() += kLineHeight;
    taken.push_back(at);
    list.push_back({{"style", label.style},
                    {"text", label.text},
                    {"anchor", is_right ? "end" : "start"},
                    {"x", CoordinateText(is_right ? at.x() - 8 : at.x())},
                    {"y", CoordinateText(at.y())}});
  }
  return list;
}

// The directions of the world's axes, in a corner of the drawing.
nlohmann::json AxesJson(const Projector& projector) {
  constexpr double kAxisLength = 24;
  const Eigen::Vector2d origin(kSceneWidth - 44, kSceneHeight - 24);
  const std::array<const char*, 3> names = {"x", "y", "z"};
  nlohmann::json axes = nlohmann::json::array();
  for (size_t axis = 0; axis < names.size(); ++axis) {
    const Eigen::Vector2d direction = projector.col(static_cast<Eigen::Index>(axis));
    if (direction.norm() < 1e-6) continue;  // towards the reader
    const Eigen::Vector2d end =
        origin + kAxisLength * Eigen::Vector2d(direction.x(), -direction.y());
    axes.push_back({{"name", names[axis]},
                    {"x0", CoordinateText(origin.x())},
                    {"y0", CoordinateText(origin.y())},
                    {"x", CoordinateText(end.x())},
                    {"y", CoordinateText(end.y())},
                    {"text_x", CoordinateText(end.x() + 3)},
                    {"text_y", CoordinateText(end.y() - 2)}});
  }
  return axes;
}

std::string DrawingHtml(const Scene& scene, const Projector& projector, const std::string& title) {
  const Sheet sheet(projector, scene);
  const double measure_m = MeasureLength(sheet.scale());
  return RenderTemplate("scene", {{"title", title},
                                  {"lines", LinesJson(scene.lines, sheet)},
                                  {"dots", LinesJson(scene.dots, sheet)},
                                  {"labels", LabelsJson(scene.labels, sheet)},
                                  {"axes", AxesJson(projector)},
                                  {"measure_end", CoordinateText(10 + measure_m * sheet.scale())},
                                  {"measure", ToText(measure_m) + " m"}});
}

}  // namespace

std::string ViewLabel(const CameraTrack& track, size_t view) {
  return track.name.empty() ? NameOfView(track, view) : track.name;
}

std::string SceneHtml(const Clip& clip) {
  const bool has_camera =
      std::any_of(clip.views.begin(), clip.views.end(),
                  [](const ClipView& view) { return !view.camera.frames.empty(); });
  if (!has_camera && clip.poses.empty()) return "";
  const Scene scene = SceneOf(clip);
  return DrawingHtml(scene, FromACorner(), "cameras and tip, from a corner") +
         DrawingHtml(scene, FromAbove(), "from above");
}

}  // namespace aim
