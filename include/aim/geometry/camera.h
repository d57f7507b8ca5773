// Calibrated pinhole cameras. One convention inside aim; others only as conversions named here.
#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "aim/geometry/rigid3.h"

namespace aim {

// OpenCV axes (x right, y down, z forward), positive focal lengths in pixels. Image coordinates
// u, v are edge coordinates: the picture covers [0, width] x [0, height] and the pixel at
// (row, column) has its centre at (column + 0.5, row + 0.5).
struct Camera {
  int width = 0;
  int height = 0;
  double fx = 0;
  double fy = 0;
  double cx = 0;
  double cy = 0;
  Rigid3d world_from_camera;
};

// Image coordinates (u, v) and depth along the optical axis, metres.
struct Projection {
  Eigen::Vector2d uv;
  double depth_m;
};

// Empty if the point lies less than `near_m` in front of the camera.
std::optional<Projection> Project(const Camera& camera, const Eigen::Vector3d& p_in_world,
                                  double near_m = 1e-3);

// Origin and unit direction, in the world, of the ray through image point (u, v).
struct Ray {
  Eigen::Vector3d origin;
  Eigen::Vector3d direction;
};
Ray RayThrough(const Camera& camera, const Eigen::Vector2d& uv);

// Intrinsics after cutting the window [x0, x0 + w) x [y0, y0 + h) and resizing it to out size.
// Edge coordinates: no half-pixel term (docs/reference/formats.md 2.4).
Camera CropAndResize(const Camera& camera, double x0, double y0, double w, double h, int out_width,
                     int out_height);

// Throws InputError naming `where` unless sizes and focal lengths are positive and all is finite.
void Validate(const Camera& camera, const std::string& where);

// RLBench: camera axes x left, y up, z forward; focal lengths stored negative; `world_from_rlbench`
// is camera-to-world. Pixels are the same. Throws InputError if fx or fy is not negative.
Camera CameraFromRlbench(const Eigen::Matrix3d& intrinsics,
                         const Eigen::Matrix4d& world_from_rlbench, int width, int height);
struct RlbenchCamera {
  Eigen::Matrix3d intrinsics;         // fx, fy < 0
  Eigen::Matrix4d world_from_camera;  // x left, y up, z forward
};
RlbenchCamera ToRlbench(const Camera& camera);

// OpenGL and MuJoCo: x right, y up, z backward; vertical field of view in radians.
Camera CameraFromMujoco(const Rigid3d& world_from_gl, double fovy_rad, int width, int height);
Rigid3d ToMujocoAxes(const Rigid3d& world_from_camera);

// The cameras of one clip: per view, one camera or one per frame.
struct CameraTrack {
  std::string name;
  std::vector<Camera> frames;  // size 1 (fixed) or number of frames
  const Camera& at(size_t frame) const { return frames.size() == 1 ? frames[0] : frames.at(frame); }
};

// "view front", or "view 0" for one without a name.
std::string NameOfView(const CameraTrack& track, size_t view);

// Throws InputError naming `where` and the view unless there is one camera or one a frame.
void RequireCameraAFrame(const CameraTrack& track, size_t num_frames, const std::string& where);

// cameras.json, "aim-cameras-1" (docs/reference/formats.md 9.2). Throw InputError, FormatError.
std::vector<CameraTrack> ReadCamerasJson(const std::filesystem::path& path);

// The same for a file whose convention is in doubt: focal lengths may be negative and the principal
// point may lie anywhere. What comes of it is to be looked into, not to be used.
std::vector<CameraTrack> ReadSuspectCamerasJson(const std::filesystem::path& path);

void WriteCamerasJson(const std::filesystem::path& path, const std::vector<CameraTrack>& views);

}  // namespace aim
