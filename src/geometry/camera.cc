#include "aim/geometry/camera.h"

#include <cmath>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/geometry/value_error.h"

namespace aim {
namespace {

// Functions, not constants: other files may make cameras before this file's constants exist.
// Rotates the axes x left, y up, z forward into x right, y down, z forward, and back.
Eigen::Quaterniond HalfTurnAboutZ() { return {0, 0, 0, 1}; }
// Between x right, y up, z backward and x right, y down, z forward.
Eigen::Quaterniond HalfTurnAboutX() { return {0, 1, 0, 0}; }

}  // namespace

std::optional<Projection> Project(const Camera& camera, const Eigen::Vector3d& p_in_world,
                                  double near_m) {
  const Eigen::Vector3d p_in_camera = camera.world_from_camera.rotation.conjugate() *
                                      (p_in_world - camera.world_from_camera.translation);
  if (!(p_in_camera.z() > near_m)) return std::nullopt;
  return Projection{{camera.cx + camera.fx * p_in_camera.x() / p_in_camera.z(),
                     camera.cy + camera.fy * p_in_camera.y() / p_in_camera.z()},
                    p_in_camera.z()};
}

Ray RayThrough(const Camera& camera, const Eigen::Vector2d& uv) {
  const Eigen::Vector3d ray_in_camera((uv.x() - camera.cx) / camera.fx,
                                      (uv.y() - camera.cy) / camera.fy, 1.0);
  return {camera.world_from_camera.translation,
          (camera.world_from_camera.rotation * ray_in_camera).normalized()};
}

Camera CropAndResize(const Camera& camera, double x0, double y0, double w, double h, int out_width,
                     int out_height) {
  Camera result = camera;
  const double scale_x = out_width / w;
  const double scale_y = out_height / h;
  result.width = out_width;
  result.height = out_height;
  result.fx = camera.fx * scale_x;
  result.fy = camera.fy * scale_y;
  result.cx = (camera.cx - x0) * scale_x;
  result.cy = (camera.cy - y0) * scale_y;
  return result;
}

void Validate(const Camera& camera, const std::string& where) {
  if (camera.width <= 0 || camera.height <= 0) {
    throw CameraError({where + ".width x height",
                       std::to_string(camera.width) + " x " + std::to_string(camera.height),
                       "a positive size in pixels", ""});
  }
  const auto check_focal = [&](double focal, const char* name) {
    if (!std::isfinite(focal) || focal <= 0) {
      throw CameraError({where + "." + name, ToText(focal), "a positive focal length in pixels",
                         "convert RLBench cameras with CameraFromRlbench"});
    }
  };
  check_focal(camera.fx, "fx");
  check_focal(camera.fy, "fy");
  if (!std::isfinite(camera.cx) || !std::isfinite(camera.cy) ||
      !camera.world_from_camera.translation.allFinite() ||
      !camera.world_from_camera.rotation.coeffs().allFinite()) {
    throw CameraError({where, "not finite", "finite cx, cy and world_from_camera",
                       "check the file for NaN or Inf"});
  }
  const auto is_far = [](double c, int size) { return !(c >= -0.5 * size && c <= 1.5 * size); };
  if (is_far(camera.cx, camera.width) || is_far(camera.cy, camera.height)) {
    throw CameraError(
        {where, "with the principal point (" + ToText(camera.cx) + ", " + ToText(camera.cy) + ")",
         "one in or near the " + std::to_string(camera.width) + " x " +
             std::to_string(camera.height) + " picture",
         "scale the intrinsics to the size of the pictures"});
  }
}

Camera CameraFromRlbench(const Eigen::Matrix3d& intrinsics,
                         const Eigen::Matrix4d& world_from_rlbench, int width, int height) {
  if (!(intrinsics(0, 0) < 0) || !(intrinsics(1, 1) < 0)) {
    throw InputError({"RLBench intrinsics",
                      "fx " + ToText(intrinsics(0, 0)) + ", fy " + ToText(intrinsics(1, 1)),
                      "negative focal lengths (x left, y up)",
                      "a camera with positive focal lengths has OpenCV axes: use it as it is"});
  }
  Camera camera;
  camera.width = width;
  camera.height = height;
  camera.fx = -intrinsics(0, 0);
  camera.fy = -intrinsics(1, 1);
  camera.cx = intrinsics(0, 2);
  camera.cy = intrinsics(1, 2);
  camera.world_from_camera = RigidFromMatrix(world_from_rlbench, "RLBench extrinsics");
  camera.world_from_camera.rotation = camera.world_from_camera.rotation * HalfTurnAboutZ();
  Validate(camera, "RLBench camera");
  return camera;
}

RlbenchCamera ToRlbench(const Camera& camera) {
  RlbenchCamera result;
  result.intrinsics << -camera.fx, 0, camera.cx, 0, -camera.fy, camera.cy, 0, 0, 1;
  Rigid3d world_from_rlbench = camera.world_from_camera;
  world_from_rlbench.rotation = world_from_rlbench.rotation * HalfTurnAboutZ().conjugate();
  result.world_from_camera = ToMatrix(world_from_rlbench);
  return result;
}

std::string NameOfView(const CameraTrack& track, size_t view) {
  return "view " + (track.name.empty() ? std::to_string(view) : track.name);
}

void RequireCameraAFrame(const CameraTrack& track, size_t num_frames, const std::string& where) {
  if (track.frames.size() == 1 || track.frames.size() == num_frames) return;
  throw InputError({where + ": view " + track.name,
                    "with " + CountText(std::ssize(track.frames), "camera"),
                    "one, or one for each of the " + std::to_string(num_frames) + " frames", ""});
}

Camera CameraFromMujoco(const Rigid3d& world_from_gl, double fovy_rad, int width, int height) {
  Camera camera;
  camera.width = width;
  camera.height = height;
  camera.fx = camera.fy = 0.5 * height / std::tan(0.5 * fovy_rad);
  camera.cx = 0.5 * width;
  camera.cy = 0.5 * height;
  camera.world_from_camera = {(world_from_gl.rotation * HalfTurnAboutX()).normalized(),
                              world_from_gl.translation};
  return camera;
}

Rigid3d ToMujocoAxes(const Rigid3d& world_from_camera) {
  return {(world_from_camera.rotation * HalfTurnAboutX().conjugate()).normalized(),
          world_from_camera.translation};
}

}  // namespace aim
