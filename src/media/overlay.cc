#include "aim/media/overlay.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "aim/base/error.h"
#include "media/image_mat.h"

namespace aim {
namespace {

constexpr int kShift = 4;  // OpenCV draws at 1/16 pixel
const cv::Scalar kTipColor(255, 64, 64);
const cv::Scalar kXColor(64, 230, 64);
const cv::Scalar kZColor(80, 140, 255);
const cv::Scalar kEdgeColor(0, 0, 0);

// OpenCV puts integer coordinates on pixel centres, edge coordinates are half a pixel further.
// Far points are left out: they would overflow its fixed-point numbers.
std::optional<cv::Point> DrawPoint(const Camera& camera, const Eigen::Vector3d& p_in_world) {
  const std::optional<Projection> projection = Project(camera, p_in_world);
  if (!projection) return std::nullopt;
  const Eigen::Vector2d uv = projection->uv - Eigen::Vector2d(0.5, 0.5);
  const double limit = 8.0 * std::max(camera.width, camera.height);
  if (!(uv.cwiseAbs().maxCoeff() <= limit)) return std::nullopt;
  return cv::Point(static_cast<int>(std::lround(uv.x() * (1 << kShift))),
                   static_cast<int>(std::lround(uv.y() * (1 << kShift))));
}

int MarkScale(const Image& image) { return std::max(1, std::min(image.width, image.height) / 72); }

void DrawLine(cv::Mat& rgb, const cv::Point& from, const cv::Point& to, const cv::Scalar& color,
              int width) {
  if (width > 1) cv::line(rgb, from, to, kEdgeColor, width + 2, cv::LINE_AA, kShift);
  cv::line(rgb, from, to, color, width, cv::LINE_AA, kShift);
}

void CheckCamera(const Image& image, const Camera& camera) {
  AIM_CHECK(camera.width == image.width && camera.height == image.height);
}

}  // namespace

void DrawToolPose(Image& image, const Camera& camera, const ToolPose& pose, double anchor_m) {
  CheckCamera(image, camera);
  const Rigid3d& world_from_tool = pose.world_from_tool;
  const auto tip = DrawPoint(camera, world_from_tool.translation);
  const auto x_end = DrawPoint(camera, world_from_tool * Eigen::Vector3d(anchor_m, 0, 0));
  const auto z_end = DrawPoint(camera, world_from_tool * Eigen::Vector3d(0, 0, -anchor_m));
  const int scale = MarkScale(image);
  cv::Mat rgb = MatOf(image);
  if (tip && x_end) DrawLine(rgb, *tip, *x_end, kXColor, scale);
  if (tip && z_end) DrawLine(rgb, *tip, *z_end, kZColor, scale);
  const int end_radius = (scale * 3 / 2) << kShift;
  if (x_end) cv::circle(rgb, *x_end, end_radius, kXColor, cv::FILLED, cv::LINE_AA, kShift);
  if (z_end) cv::circle(rgb, *z_end, end_radius, kZColor, cv::FILLED, cv::LINE_AA, kShift);
  if (!tip) return;
  const bool open = pose.gripper_open > 0.5;
  const int tip_radius = (scale * 5 / 2) << kShift;
  cv::circle(rgb, *tip, tip_radius, kTipColor, open ? std::max(1, scale / 2) : cv::FILLED,
             cv::LINE_AA, kShift);
}

void DrawLabel(Image& image, const std::string& text, int x, int y, int height_px,
               const Rgb& color) {
  constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
  const int thickness = std::max(1, height_px / 10);
  const double scale = cv::getFontScaleFromHeight(kFont, std::max(1, height_px), thickness);
  int below = 0;
  const cv::Size size = cv::getTextSize(text, kFont, scale, thickness, &below);
  const int margin = std::max(1, height_px / 4);
  cv::Mat rgb = MatOf(image);
  const cv::Rect ground =
      cv::Rect(x, y, size.width + 2 * margin, size.height + below + 2 * margin) &
      cv::Rect(0, 0, image.width, image.height);
  if (ground.empty()) return;
  rgb(ground) *= 0.35;
  cv::putText(rgb, text, {x + margin, y + margin + size.height}, kFont, scale,
              cv::Scalar(color[0], color[1], color[2]), thickness, cv::LINE_AA);
}

}  // namespace aim
