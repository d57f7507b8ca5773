// Synthetic cameras and poses, laid out like RLBench's: a table top near z = 0.75 m.
#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include "aim/base/rng.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim::testing {

inline Eigen::Vector3d RandomUnitVector(Rng& rng) {
  const double z = rng.Uniform(-1, 1);
  const double around_rad = rng.Uniform(0, 2 * std::numbers::pi);
  const double radius = std::sqrt(1 - z * z);
  return {radius * std::cos(around_rad), radius * std::sin(around_rad), z};
}

inline Eigen::Quaterniond RandomRotation(Rng& rng) {
  const Eigen::Vector4d q(rng.Normal(), rng.Normal(), rng.Normal(), rng.Normal());
  return Eigen::Quaterniond(q).normalized();
}

inline Rigid3d RandomRigid(Rng& rng, double reach_m = 2.0) {
  const Eigen::Vector3d translation = reach_m * rng.Uniform() * RandomUnitVector(rng);
  return {RandomRotation(rng), translation};
}

// At the world's origin, looking along z; square pictures of 53 degrees.
inline Camera CameraAtOrigin(int size_px) {
  Camera camera;
  camera.width = camera.height = size_px;
  camera.fx = camera.fy = size_px;
  camera.cx = camera.cy = 0.5 * size_px;
  return camera;
}

// Camera at `eye` whose optical axis goes through `target`, picture upright (world z is up).
inline Camera LookAt(const Eigen::Vector3d& eye, const Eigen::Vector3d& target, double fov_rad,
                     int size_px) {
  const Eigen::Vector3d z = (target - eye).normalized();
  const Eigen::Vector3d x = z.cross(Eigen::Vector3d::UnitZ()).normalized();
  Eigen::Matrix3d rotation;
  rotation << x, z.cross(x), z;
  const double focal = 0.5 * size_px / std::tan(0.5 * fov_rad);
  return {size_px,
          size_px,
          focal,
          focal,
          0.5 * size_px,
          0.5 * size_px,
          {Eigen::Quaterniond(rotation).normalized(), eye}};
}

struct CameraRigOptions {
  int num_views = 2;
  int size_px = 512;
  double fov_rad = 40.0 * std::numbers::pi / 180.0;
  double distance_m = 1.9;
};

// Cameras on a circle above the workspace, all looking at its middle; placement varies with rng.
inline std::vector<Camera> MakeCameraRig(const CameraRigOptions& options, Rng& rng) {
  std::vector<Camera> rig;
  for (int view = 0; view < options.num_views; ++view) {
    const double turn = (view + rng.Uniform(-0.2, 0.2)) / options.num_views;
    const double around_rad = 2 * std::numbers::pi * turn;
    const double above_rad = rng.Uniform(0.5, 0.9);
    const Eigen::Vector3d direction(std::cos(around_rad) * std::cos(above_rad),
                                    std::sin(around_rad) * std::cos(above_rad),
                                    std::sin(above_rad));
    const Eigen::Vector3d target(0.25, 0.0, 1.0);
    rig.push_back(
        LookAt(target + options.distance_m * direction, target, options.fov_rad, options.size_px));
  }
  return rig;
}

// A tool in the workspace that every camera of a default rig sees, pointing roughly down.
inline ToolPose RandomToolPose(Rng& rng) {
  const Eigen::Vector3d tip(rng.Uniform(0.1, 0.4), rng.Uniform(-0.2, 0.2), rng.Uniform(0.85, 1.2));
  const Eigen::Quaterniond down(0, 1, 0, 0);
  const Eigen::Quaterniond tilt(Eigen::AngleAxisd(rng.Uniform(0, 0.7), RandomUnitVector(rng)));
  const Eigen::Quaterniond yaw(Eigen::AngleAxisd(rng.Uniform(-std::numbers::pi, std::numbers::pi),
                                                 Eigen::Vector3d::UnitZ()));
  return {{(tilt * yaw * down).normalized(), tip}, rng.Uniform() < 0.5 ? 0.0 : 1.0};
}

}  // namespace aim::testing
