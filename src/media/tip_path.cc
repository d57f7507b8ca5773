#include "aim/media/tip_path.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "aim/base/error.h"

namespace aim {
namespace {

// Far points are left out: what they would draw is no help.
std::optional<Eigen::Vector2d> TipOf(const Camera& camera, const ToolPose& pose) {
  const std::optional<Projection> projection = Project(camera, pose.world_from_tool.translation);
  const double limit = 8.0 * std::max(camera.width, camera.height);
  if (!projection || !(projection->uv.cwiseAbs().maxCoeff() <= limit)) return std::nullopt;
  return projection->uv;
}

double DistanceToSegment(const Eigen::Vector2d& p, const Eigen::Vector2d& from,
                         const Eigen::Vector2d& to) {
  const Eigen::Vector2d along = to - from;
  const double length2 = along.squaredNorm();
  const double s = length2 > 0 ? std::clamp((p - from).dot(along) / length2, 0.0, 1.0) : 0.0;
  return (p - from - s * along).norm();
}

// Pixels are covered by as much of the line, `width_px` wide, as lies over them, about.
void DrawSegment(Image& image, const Eigen::Vector2d& from, const Eigen::Vector2d& to,
                 double width_px, const Rgb& color, double fade) {
  const double reach = width_px / 2 + 0.5;
  const auto first = [&](double a, double b) {
    return std::max(0, static_cast<int>(std::floor(std::min(a, b) - reach)));
  };
  const auto last = [&](double a, double b, int size) {
    return std::min(size - 1, static_cast<int>(std::ceil(std::max(a, b) + reach)));
  };
  for (int row = first(from.y(), to.y()); row <= last(from.y(), to.y(), image.height); ++row) {
    for (int col = first(from.x(), to.x()); col <= last(from.x(), to.x(), image.width); ++col) {
      const double cover =
          std::clamp(reach - DistanceToSegment({col + 0.5, row + 0.5}, from, to), 0.0, 1.0);
      for (size_t c = 0; c < 3; ++c) {
        uint8_t& out = image.rgb[static_cast<size_t>(row * image.width + col) * 3 + c];
        out = static_cast<uint8_t>(std::lround((1 - cover) * out + cover * fade * color[c]));
      }
    }
  }
}

}  // namespace

void DrawTipPath(Image& image, const Camera& camera, std::span<const ToolPose> poses,
                 const Rgb& color) {
  AIM_CHECK(camera.width == image.width && camera.height == image.height);
  const int width_px = std::max(1, std::min(image.width, image.height) / 72);
  for (size_t i = 1; i < poses.size(); ++i) {
    const auto from = TipOf(camera, poses[i - 1]);
    const auto to = TipOf(camera, poses[i]);
    const double fade =
        (1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(poses.size() - 1)) / 3.0;
    if (from && to) DrawSegment(image, *from, *to, width_px, color, fade);
  }
}

}  // namespace aim
