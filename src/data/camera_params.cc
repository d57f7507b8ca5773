// camera_params.json of the ActionImages layout.
#include <charconv>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "data/action_images_files.h"
#include "data/camera_matrices.h"
#include "data/padded_number.h"

namespace aim {
namespace {

using nlohmann::json;

Camera ReadCamera(const json& entry, const std::string& where, int width, int height,
                  CameraTrust trust) {
  const Eigen::Matrix3d intrinsics = ReadJsonMatrix(entry, "intrinsics", 3, 3, where);
  const Eigen::Matrix4d extrinsics = ReadJsonMatrix(entry, "extrinsics", 4, 4, where);
  return CheckedRlbenchCamera({intrinsics, extrinsics}, width, height, where, trust);
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
    const std::string key = PaddedNumber(static_cast<int64_t>(frame), 4);
    const RlbenchCamera rlbench = ToRlbench(camera.frames[frame]);
    object[key] = {{"intrinsics", MatrixToJson(rlbench.intrinsics)},
                   {"extrinsics", MatrixToJson(rlbench.world_from_camera)}};
  }
  WriteFileAtomic(path, object.dump(1) + "\n");
}

CameraTrack ReadCameraParams(const std::filesystem::path& path, int num_frames, int width,
                             int height, CameraTrust trust) {
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
    track.frames.push_back(ReadCamera(*found->second, where, width, height, trust));
    if (entries.size() == 1) break;
  }
  MergeEqualFrames(track);
  return track;
}

}  // namespace aim
