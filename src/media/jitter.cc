#include "aim/media/jitter.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "aim/base/error.h"
#include "aim/geometry/checked_camera.h"
#include "media/image_mat.h"

namespace aim {
namespace {

constexpr double kMostZoom = 2;  // more than what was asked for
constexpr double kMiddleGrey = 127.5;

// Edge coordinates in the picture of `camera`, up to scale, from those in that of `turned`.
Eigen::Matrix3d OldFromTurned(const Camera& turned, const Camera& camera) {
  const Eigen::Quaterniond camera_from_turned =
      camera.world_from_camera.rotation.conjugate() * turned.world_from_camera.rotation;
  return PinholeMatrix(camera) * camera_from_turned.toRotationMatrix() *
         PinholeMatrix(turned).inverse();
}

// Whether every point of the turned picture lies in the old one: it is convex, so that its corners
// tell.
bool IsFilled(const Camera& turned, const Camera& camera) {
  const Eigen::Matrix3d old_from_turned = OldFromTurned(turned, camera);
  for (const double u : {0.0, static_cast<double>(turned.width)}) {
    for (const double v : {0.0, static_cast<double>(turned.height)}) {
      const Eigen::Vector3d corner = old_from_turned * Eigen::Vector3d(u, v, 1);
      if (corner.z() <= 0) return false;
      const Eigen::Vector2d uv = corner.hnormalized();
      if (uv.x() < 0 || uv.y() < 0 || uv.x() > camera.width || uv.y() > camera.height) return false;
    }
  }
  return true;
}

Camera Zoomed(const Camera& camera, const Eigen::Quaterniond& camera_from_turned, double zoom) {
  Camera turned = camera;
  turned.fx *= zoom;
  turned.fy *= zoom;
  turned.world_from_camera.rotation =
      (camera.world_from_camera.rotation * camera_from_turned).normalized();
  return turned;
}

}  // namespace

std::optional<Camera> TurnCamera(const Camera& camera, const CameraTurn& turn) {
  AIM_CHECK(turn.zoom >= 1);
  const Eigen::Quaterniond camera_from_turned = ExpRotation(turn.rotation_rad);
  const auto zoomed = [&](double zoom) { return Zoomed(camera, camera_from_turned, zoom); };
  const bool is_unchanged = turn.rotation_rad.isZero() && turn.zoom == 1;
  if (is_unchanged || IsFilled(zoomed(turn.zoom), camera)) return zoomed(turn.zoom);
  double too_small = turn.zoom;
  double fills = turn.zoom * kMostZoom;
  if (!IsFilled(zoomed(fills), camera)) return std::nullopt;
  while (fills - too_small > 1e-4) {
    const double middle = (too_small + fills) / 2;
    (IsFilled(zoomed(middle), camera) ? fills : too_small) = middle;
  }
  return zoomed(fills);
}

Image SeenBy(const Camera& turned, const Image& image, const Camera& camera) {
  RequirePictureSize(camera, image);
  RequirePictureSize(turned, image);
  // OpenCV counts from the centre of the first pixel, edge coordinates from its corner.
  Eigen::Matrix3d edge_from_index = Eigen::Matrix3d::Identity();
  edge_from_index(0, 2) = edge_from_index(1, 2) = 0.5;
  const Eigen::Matrix3d map =
      edge_from_index.inverse() * OldFromTurned(turned, camera) * edge_from_index;
  cv::Matx33d matrix;
  for (int row = 0; row < 3; ++row) {
    for (int col = 0; col < 3; ++col) matrix(row, col) = map(row, col);
  }
  Image seen(image.width, image.height);
  cv::Mat out = MatOf(seen);
  cv::warpPerspective(MatOf(image), out, matrix, out.size(),
                      cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
  return seen;
}

void ChangeLight(const LightChange& change, Image& image) {
  const Eigen::Matrix3d luma = Eigen::Vector3d::Ones() * Eigen::RowVector3d(0.299, 0.587, 0.114);
  const Eigen::Matrix3d saturation =
      change.saturation * Eigen::Matrix3d::Identity() + (1 - change.saturation) * luma;
  const Eigen::Matrix3d hue =
      Eigen::AngleAxisd(change.hue_rad, Eigen::Vector3d::Ones().normalized()).toRotationMatrix();
  const Eigen::Matrix3d linear = change.brightness * change.contrast * hue * saturation;
  const double offset = change.brightness * kMiddleGrey * (1 - change.contrast);
  cv::Matx34f affine;
  for (int row = 0; row < 3; ++row) {
    for (int col = 0; col < 3; ++col) affine(row, col) = static_cast<float>(linear(row, col));
    affine(row, 3) = static_cast<float>(offset);
  }
  cv::Mat pixels = MatOf(image);
  cv::transform(pixels, pixels, affine);
}

}  // namespace aim
