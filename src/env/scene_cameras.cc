#include "env/scene_cameras.h"

#include <array>
#include <cmath>

namespace aim {
namespace {

constexpr double kLowestMoved_deg = 10;  // a moved camera is no lower, or it looks along the table
// All that happens lies in a ball about the centre that fills the usual picture; a wide view stands
// so near that it fills its own.
constexpr double kShown_m = 0.265;
// No camera stands where the arm moves.
const Eigen::Vector3d kArmLow{-0.3, -0.3, 0.0};
const Eigen::Vector3d kArmHigh{0.7, 0.3, 0.9};

// From the centre towards the camera.
Eigen::Vector3d Direction(double azimuth_deg, double elevation_deg) {
  const double azimuth = azimuth_deg * kDegree;
  const double elevation = elevation_deg * kDegree;
  return {std::cos(elevation) * std::cos(azimuth), std::cos(elevation) * std::sin(azimuth),
          std::sin(elevation)};
}

Rigid3d LookingAt(const Eigen::Vector3d& looked_at, const Eigen::Vector3d& back,
                  double distance_m) {
  Eigen::Matrix3d axes;
  axes.col(2) = back;
  axes.col(0) = Eigen::Vector3d::UnitZ().cross(back).normalized();
  axes.col(1) = back.cross(axes.col(0));
  return {Eigen::Quaterniond(axes).normalized(), looked_at + distance_m * back};
}

Eigen::Vector3d DrawLookedAt(Rng& rng) {
  const Eigen::Vector3d jitter(rng.Uniform(-0.02, 0.02), rng.Uniform(-0.02, 0.02),
                               rng.Uniform(-0.02, 0.02));
  return kSceneCentre + jitter;
}

double DrawAzimuthDeg(CameraRange range, Rng& rng) {
  for (;;) {
    const double azimuth_deg = rng.Uniform(-kWidestAzimuth_deg, kWidestAzimuth_deg);
    const double side_deg = std::abs(azimuth_deg);
    const bool in_band = side_deg >= kHeldOutFrom_deg && side_deg < kHeldOutTo_deg;
    if (in_band == (range == CameraRange::kHeldOut)) return azimuth_deg;
  }
}

struct DrawnCamera {
  Rigid3d world_from_gl_camera;
  double fovy_deg = 0;
  Eigen::Vector3d back;  // towards it
};

DrawnCamera DrawCameraOf(CameraRange range, Rng& rng) {
  for (;;) {
    const double azimuth_deg = DrawAzimuthDeg(range, rng);
    const double elevation_deg = rng.Uniform(kLowest_deg, kHighest_deg);
    const double fovy_deg = rng.Uniform(kNarrowestFovy_deg, kWidestFovy_deg);
    const double distance_m = kShown_m / std::sin(fovy_deg / 2 * kDegree) * rng.Uniform(0.96, 1.16);
    const Eigen::Vector3d back = Direction(azimuth_deg, elevation_deg);
    const Rigid3d camera = LookingAt(DrawLookedAt(rng), back, distance_m);
    const Eigen::Array3d place = camera.translation.array();
    if ((place > kArmLow.array()).all() && (place < kArmHigh.array()).all()) continue;
    return {camera, fovy_deg, back};
  }
}

// Each on its own, but for how near they may come to each other.
std::array<DrawnCamera, kNumViews> DrawCamerasOf(CameraRange range, Rng& rng) {
  for (;;) {
    const DrawnCamera first = DrawCameraOf(range, rng);
    const DrawnCamera second = DrawCameraOf(range, rng);
    if (first.back.dot(second.back) <= std::cos(kLeastApart_deg * kDegree)) return {first, second};
  }
}

}  // namespace

Rigid3d DrawUsualCamera(double azimuth_deg, double elevation_deg, Rng& rng) {
  const double drawn_azimuth_deg = azimuth_deg + rng.Uniform(-12, 12);
  const double drawn_elevation_deg = elevation_deg + rng.Uniform(-8, 8);
  const double distance_m = 0.74 * rng.Uniform(0.92, 1.08);
  const Eigen::Vector3d looked_at = DrawLookedAt(rng);
  return LookingAt(looked_at, Direction(drawn_azimuth_deg, drawn_elevation_deg), distance_m);
}

void PlaceCameras(const CameraWish& wish, const Rng& rng, SceneLayout& layout) {
  if (wish.range != CameraRange::kUsual) {
    Rng range_rng = rng.Derive(0, "camera range");
    const auto drawn = DrawCamerasOf(wish.range, range_rng);
    for (size_t view = 0; view < kNumViews; ++view) {
      layout.world_from_gl_camera[view] = drawn[view].world_from_gl_camera;
      layout.fovy_deg[view] = drawn[view].fovy_deg;
    }
    return;
  }
  for (size_t view = 0; view < kNumViews; ++view) {
    Rigid3d& world_from_camera = layout.world_from_gl_camera[view];
    if (!wish.views.empty()) {
      const Camera camera = WishedCamera(wish, view, kViewNames[view], kNumViews, 1);
      world_from_camera = ToMujocoAxes(camera.world_from_camera);
      layout.fovy_deg[view] = 2 * std::atan(0.5 / camera.fy) / kDegree;
    } else if (!wish.IsAsTrained()) {
      Rng view_rng = rng.Derive(view, "moved cameras");
      world_from_camera =
          MovedCamera(wish, world_from_camera, kSceneCentre, kLowestMoved_deg * kDegree, view_rng);
    }
  }
}

}  // namespace aim
