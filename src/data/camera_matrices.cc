#include "data/camera_matrices.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

void CheckIntrinsics(const Eigen::Matrix3d& k, int width, int height, const std::string& where) {
  if (k(0, 1) != 0 || k(1, 0) != 0 || k(2, 0) != 0 || k(2, 1) != 0 || k(2, 2) != 1) {
    throw InputError({.where = where,
                      .got = "with skew, or with a last row that is not 0 0 1",
                      .expected = "fx 0 cx; 0 fy cy; 0 0 1",
                      .fix = "undistort the pictures and give the intrinsics of the result"});
  }
  const double cx = k(0, 2), cy = k(1, 2);
  if (!(cx > 0 && cx < width && cy > 0 && cy < height)) {
    throw InputError(
        {.where = where,
         .got = "with the principal point (" + std::to_string(cx) + ", " + std::to_string(cy) + ")",
         .expected = "one inside the " + SizeText(width, height) + " video",
         .fix = "scale the intrinsics to the size of the video"});
  }
}

std::string FocalText(const Eigen::Matrix3d& k) {
  return "with focal lengths " + std::to_string(k(0, 0)) + " and " + std::to_string(k(1, 1));
}

}  // namespace

Camera CheckedRlbenchCamera(const RlbenchCamera& camera, int width, int height,
                            const std::string& where) {
  RigidFromMatrix(camera.world_from_camera, where + ".extrinsics");  // names it if it is not rigid
  const Eigen::Matrix3d& k = camera.intrinsics;
  if (!(k(0, 0) < 0 && k(1, 1) < 0)) {
    throw InputError({.where = where + ".intrinsics",
                      .got = FocalText(k),
                      .expected = "negative ones, RLBench's convention",
                      .fix = "negate both if the pictures are not mirrored; other cameras belong "
                             "in a clip folder's cameras.json (docs/reference/formats.md 9.2)"});
  }
  CheckIntrinsics(k, width, height, where + ".intrinsics");
  return CameraFromRlbench(camera.intrinsics, camera.world_from_camera, width, height);
}

Camera CheckedOpenCvCamera(const Eigen::Matrix3d& intrinsics, const Rigid3d& world_from_camera,
                           int width, int height, const std::string& where) {
  if (!(intrinsics(0, 0) > 0 && intrinsics(1, 1) > 0)) {
    throw InputError({.where = where + ".intrinsics",
                      .got = FocalText(intrinsics),
                      .expected = "positive ones, OpenCV's convention",
                      .fix = ""});
  }
  CheckIntrinsics(intrinsics, width, height, where + ".intrinsics");
  return {.width = width,
          .height = height,
          .fx = intrinsics(0, 0),
          .fy = intrinsics(1, 1),
          .cx = intrinsics(0, 2),
          .cy = intrinsics(1, 2),
          .world_from_camera = world_from_camera};
}

Eigen::MatrixXd ReadJsonMatrix(const nlohmann::json& object, const std::string& key, int rows,
                               int cols, const std::string& where) {
  const auto fail = [&](const std::string& got) {
    throw InputError(
        {.where = where + "." + key,
         .got = got,
         .expected = std::to_string(rows) + " rows of " + std::to_string(cols) + " finite numbers",
         .fix = ""});
  };
  if (!object.is_object() || !object.contains(key)) fail("missing");
  const nlohmann::json& list = object.at(key);
  if (!list.is_array() || list.size() != static_cast<size_t>(rows)) {
    fail("no list of " + std::to_string(rows) + " rows");
  }
  Eigen::MatrixXd matrix(rows, cols);
  for (int row = 0; row < rows; ++row) {
    const nlohmann::json& values = list[static_cast<size_t>(row)];
    if (!values.is_array() || values.size() != static_cast<size_t>(cols)) {
      fail("row " + std::to_string(row) + " of another length");
    }
    for (int col = 0; col < cols; ++col) {
      const nlohmann::json& value = values[static_cast<size_t>(col)];
      if (!value.is_number()) fail("not a number in row " + std::to_string(row));
      matrix(row, col) = value.get<double>();
      if (!std::isfinite(matrix(row, col))) fail("not finite in row " + std::to_string(row));
    }
  }
  return matrix;
}

bool IsSameCamera(const Camera& a, const Camera& b) {
  return a.fx == b.fx && a.fy == b.fy && a.cx == b.cx && a.cy == b.cy &&
         a.world_from_camera.translation == b.world_from_camera.translation &&
         a.world_from_camera.rotation.coeffs() == b.world_from_camera.rotation.coeffs();
}

void RequireCameraSize(const Camera& camera, int width, int height, const std::string& where) {
  if (camera.width == width && camera.height == height) return;
  throw InputError({.where = where,
                    .got = "a camera of " + SizeText(camera.width, camera.height) + " pixels",
                    .expected = SizeText(width, height) + ", the size of the videos",
                    .fix = "scale its intrinsics to the video"});
}

void MergeEqualFrames(CameraTrack& track) {
  const bool is_fixed = std::all_of(track.frames.begin(), track.frames.end(), [&](const Camera& c) {
    return IsSameCamera(c, track.frames[0]);
  });
  if (is_fixed) track.frames.resize(1);
}

}  // namespace aim
