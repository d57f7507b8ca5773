#include "data/camera_matrices.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/geometry/checked_camera.h"

namespace aim {
namespace {

void CheckPrincipalPoint(const Eigen::Matrix3d& k, int width, int height,
                         const std::string& where) {
  const double cx = k(0, 2), cy = k(1, 2);
  if (cx > 0 && cx < width && cy > 0 && cy < height) return;
  throw InputError(
      {.where = where,
       .got = "with the principal point (" + std::to_string(cx) + ", " + std::to_string(cy) + ")",
       .expected = "one inside the " + SizeText(width, height) + " video",
       .fix = "scale the intrinsics to the size of the video"});
}

std::string FocalText(const Eigen::Matrix3d& k) {
  return "with focal lengths " + std::to_string(k(0, 0)) + " and " + std::to_string(k(1, 1));
}

void CheckFocalLengths(const Eigen::Matrix3d& k, bool is_right, const std::string& where,
                       const std::string& expected, const std::string& fix) {
  if (is_right) return;
  throw InputError({.where = where, .got = FocalText(k), .expected = expected, .fix = fix});
}

bool HasFocalLengths(const Eigen::Matrix3d& k) { return k(0, 0) != 0 && k(1, 1) != 0; }

}  // namespace

Camera CheckedRlbenchCamera(const RlbenchCamera& camera, int width, int height,
                            const std::string& where, CameraTrust trust) {
  RigidFromMatrix(camera.world_from_camera, where + ".extrinsics");  // names it if it is not rigid
  const Eigen::Matrix3d& k = camera.intrinsics;
  const std::string where_k = where + ".intrinsics";
  RequirePinholeMatrix(k, where_k);
  if (trust == CameraTrust::kChecked) {
    CheckFocalLengths(k, k(0, 0) < 0 && k(1, 1) < 0, where_k, "negative ones, RLBench's convention",
                      "negate both if the pictures are not mirrored; other cameras belong "
                      "in a clip folder's cameras.json (docs/reference/formats.md 9.2)");
    CheckPrincipalPoint(k, width, height, where_k);
    return CameraFromRlbench(k, camera.world_from_camera, width, height);
  }
  CheckFocalLengths(k, HasFocalLengths(k), where_k, "focal lengths", "");
  const Eigen::Matrix3d plain{{-1, 0, 0.5 * width}, {0, -1, 0.5 * height}, {0, 0, 1}};
  Camera result = CameraFromRlbench(plain, camera.world_from_camera, width, height);
  result.fx = -k(0, 0);
  result.fy = -k(1, 1);
  result.cx = k(0, 2);
  result.cy = k(1, 2);
  return result;
}

Camera CheckedOpenCvCamera(const Eigen::Matrix3d& intrinsics, const Rigid3d& world_from_camera,
                           int width, int height, const std::string& where, CameraTrust trust) {
  const Eigen::Matrix3d& k = intrinsics;
  const std::string where_k = where + ".intrinsics";
  const bool is_checked = trust == CameraTrust::kChecked;
  CheckFocalLengths(k, is_checked ? k(0, 0) > 0 && k(1, 1) > 0 : HasFocalLengths(k), where_k,
                    is_checked ? "positive ones, OpenCV's convention" : "focal lengths",
                    is_checked ? "aim-codec doctor says what such cameras mean" : "");
  RequirePinholeMatrix(k, where_k);
  if (is_checked) CheckPrincipalPoint(k, width, height, where_k);
  return {.width = width,
          .height = height,
          .fx = k(0, 0),
          .fy = k(1, 1),
          .cx = k(0, 2),
          .cy = k(1, 2),
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
