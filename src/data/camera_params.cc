// camera_params.json of the ActionImages layout.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "data/action_images_files.h"

namespace aim {
namespace {

using nlohmann::json;

template <int kSize>
Eigen::Matrix<double, kSize, kSize> ReadMatrix(const json& entry, const char* key,
                                               const std::string& where) {
  const auto fail = [&](const std::string& got) {
    throw InputError({.where = where + "." + key,
                      .got = got,
                      .expected = std::to_string(kSize) + " rows of " + std::to_string(kSize) +
                                  " finite numbers",
                      .fix = ""});
  };
  if (!entry.is_object() || !entry.contains(key)) fail("missing");
  const json& rows = entry.at(key);
  Eigen::Matrix<double, kSize, kSize> matrix;
  if (!rows.is_array() || rows.size() != kSize)
    fail("no list of " + std::to_string(kSize) + " rows");
  for (int row = 0; row < kSize; ++row) {
    const json& values = rows[static_cast<size_t>(row)];
    if (!values.is_array() || values.size() != kSize) {
      fail("row " + std::to_string(row) + " of another length");
    }
    for (int col = 0; col < kSize; ++col) {
      const json& value = values[static_cast<size_t>(col)];
      if (!value.is_number()) fail("not a number in row " + std::to_string(row));
      matrix(row, col) = value.get<double>();
      if (!std::isfinite(matrix(row, col))) fail("not finite in row " + std::to_string(row));
    }
  }
  return matrix;
}

Camera ReadCamera(const json& entry, const std::string& where, int width, int height) {
  const Eigen::Matrix3d intrinsics = ReadMatrix<3>(entry, "intrinsics", where);
  if (intrinsics(0, 1) != 0 || intrinsics(1, 0) != 0 || intrinsics(2, 0) != 0 ||
      intrinsics(2, 1) != 0 || intrinsics(2, 2) != 1) {
    throw InputError({.where = where + ".intrinsics",
                      .got = "with skew, or with a last row that is not 0 0 1",
                      .expected = "fx 0 cx; 0 fy cy; 0 0 1",
                      .fix = "undistort the pictures and give the intrinsics of the result"});
  }
  const Eigen::Matrix4d extrinsics = ReadMatrix<4>(entry, "extrinsics", where);
  RigidFromMatrix(extrinsics, where + ".extrinsics");  // names the field if it is no rigid motion
  if (!(intrinsics(0, 0) < 0 && intrinsics(1, 1) < 0)) {
    throw InputError({.where = where + ".intrinsics",
                      .got = "with focal lengths " + std::to_string(intrinsics(0, 0)) + " and " +
                             std::to_string(intrinsics(1, 1)),
                      .expected = "negative ones, RLBench's convention",
                      .fix =
                          "negate both if the pictures are not mirrored; other cameras belong in "
                          "a clip folder's cameras.json (docs/reference/formats.md 9.2)"});
  }
  const double cx = intrinsics(0, 2), cy = intrinsics(1, 2);
  if (!(cx > 0 && cx < width && cy > 0 && cy < height)) {
    throw InputError(
        {.where = where + ".intrinsics",
         .got = "with the principal point (" + std::to_string(cx) + ", " + std::to_string(cy) + ")",
         .expected = "one inside the " + SizeText(width, height) + " video",
         .fix = "scale the intrinsics to the size of the video"});
  }
  return CameraFromRlbench(intrinsics, extrinsics, width, height);
}

std::map<int, const json*> SortedKeys(const json& object, const std::string& where) {
  std::map<int, const json*> entries;
  for (const auto& [key, value] : object.items()) {
    int frame = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), frame);
    if (error != std::errc() || end != key.data() + key.size() || frame < 0) {
      throw InputError({.where = where,
                        .got = "a file with the key \"" + key + "\"",
                        .expected = "frame numbers such as \"0000\"",
                        .fix = ""});
    }
    entries[frame] = &value;
  }
  return entries;
}

bool Same(const Camera& a, const Camera& b) {
  return a.fx == b.fx && a.fy == b.fy && a.cx == b.cx && a.cy == b.cy &&
         a.world_from_camera.translation == b.world_from_camera.translation &&
         a.world_from_camera.rotation.coeffs() == b.world_from_camera.rotation.coeffs();
}

template <class Matrix>
json MatrixToJson(const Matrix& matrix) {
  json rows = json::array();
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    json values = json::array();
    for (Eigen::Index col = 0; col < matrix.cols(); ++col) values.push_back(matrix(row, col));
    rows.push_back(values);
  }
  return rows;
}

}  // namespace

void WriteCameraParams(const std::filesystem::path& path, const CameraTrack& camera) {
  json object = json::object();
  for (size_t frame = 0; frame < camera.frames.size(); ++frame) {
    std::string key = std::to_string(frame);
    if (key.size() < 4) key.insert(0, 4 - key.size(), '0');
    const RlbenchCamera rlbench = ToRlbench(camera.frames[frame]);
    object[key] = {{"intrinsics", MatrixToJson(rlbench.intrinsics)},
                   {"extrinsics", MatrixToJson(rlbench.world_from_camera)}};
  }
  WriteFileAtomic(path, object.dump(1) + "\n");
}

CameraTrack ReadCameraParams(const std::filesystem::path& path, int num_frames, int width,
                             int height) {
  const json object = ParseJson(ReadFile(path));
  if (!object.is_object() || object.empty()) {
    throw FormatError({.where = path.string(),
                       .got = object.is_discarded() ? "broken JSON" : "without cameras",
                       .expected = R"({"0000": {"intrinsics", "extrinsics"}, ...})",
                       .fix = "write or copy the file again"});
  }
  const std::map<int, const json*> entries = SortedKeys(object, path.string());
  CameraTrack track;
  for (int frame = 0; frame < num_frames; ++frame) {
    const auto found = entries.contains(frame) ? entries.find(frame) : std::prev(entries.end());
    const std::string where = path.string() + " \"" + std::to_string(found->first) + "\"";
    track.frames.push_back(ReadCamera(*found->second, where, width, height));
    if (entries.size() == 1) break;
  }
  const bool fixed = std::all_of(track.frames.begin(), track.frames.end(),
                                 [&](const Camera& c) { return Same(c, track.frames[0]); });
  if (fixed) track.frames.resize(1);
  return track;
}

}  // namespace aim
