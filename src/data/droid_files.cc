#include "data/droid_files.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/normal_path.h"
#include "aim/base/text.h"
#include "aim/format/json_reader.h"
#include "aim/geometry/checked_camera.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFoldersAbove = 6;  // of an episode: run, day, success, lab, version, data set

fs::path NearestFile(const fs::path& root, const char* name) {
  fs::path folder = NormalPath(root);
  for (int above = 0; above <= kFoldersAbove; ++above) {
    std::error_code error;
    if (fs::is_regular_file(folder / name, error)) return folder / name;
    folder = folder.parent_path();
  }
  return {};
}

std::vector<double> NumbersOf(const json& list, size_t count, const std::string& where) {
  const JsonReader reader(json{{"numbers", list}}, where);
  std::vector<double> numbers =
      list.is_array() ? reader.Numbers("numbers", {}) : std::vector<double>();
  if (numbers.size() == count) return numbers;
  throw InputError({.where = where,
                    .got = ShownJson(list),
                    .expected = std::to_string(count) + " numbers",
                    .fix = ""});
}

// fx cx fy cy, in this order, or three rows of three.
Eigen::Matrix3d PinholeOf(const json& value, const std::string& where) {
  if (value.is_array() && value.size() == 3 && value[0].is_array()) {
    return ReadJsonMatrix(json{{"matrix", value}}, "matrix", 3, 3, where);
  }
  const std::vector<double> n = NumbersOf(value, 4, where);
  return Eigen::Matrix3d{{n[0], 0, n[1]}, {0, n[2], n[3]}, {0, 0, 1}};
}

void RequireNoLens(const JsonReader& camera) {
  for (const double number : camera.Numbers("distCoeffs", {})) {
    if (number != 0) camera.Fail("distCoeffs", "zeros: DROID's pictures are rectified");
  }
}

}  // namespace

ToolPose DroidPose(std::span<const double> pose, double gripper, const std::string& where) {
  constexpr double kBeyond = 0.1;
  const bool is_near = gripper >= -kBeyond && gripper <= 1 + kBeyond;
  const double open = 1 - (is_near ? std::clamp(gripper, 0.0, 1.0) : gripper);
  return ToolPoseFromNumbers(ToNumbers({RigidFromEulerPose(pose), open}), where);
}

Camera DroidFileCamera(const json& cameras, const fs::path& path, const std::string& name,
                       int width, int height, CameraTrust trust) {
  const std::string where = path.string() + " \"" + name + '"';
  if (!cameras.is_object() || !cameras.contains(name)) {
    throw InputError({.where = where,
                      .got = "missing",
                      .expected = "the calibration of every video",
                      .fix = "leave the episode out: without cameras there are no action images"});
  }
  const json& entry = cameras[name];
  const Eigen::Matrix3d intrinsics = ReadJsonMatrix(entry, "intrinsics", 3, 3, where);
  const Eigen::Matrix4d extrinsics = ReadJsonMatrix(entry, "extrinsics", 4, 4, where);
  const Rigid3d world_from_camera = RigidFromMatrix(extrinsics, where + ".extrinsics");
  return CheckedOpenCvCamera(intrinsics, world_from_camera, width, height, where, trust);
}

Camera DroidCamera(const DroidIntrinsics& intrinsics, const Rigid3d& base_from_camera, int width,
                   int height, const std::string& where, CameraTrust trust) {
  const Camera recorded = CheckedOpenCvCamera(intrinsics.matrix, base_from_camera, intrinsics.width,
                                              intrinsics.height, where, trust);
  const std::optional<Camera> camera =
      ForResizedPictures(recorded, intrinsics.width, intrinsics.height, width, height);
  if (camera) return *camera;
  throw InputError({.where = where,
                    .got = "intrinsics of pictures of " +
                           SizeText(intrinsics.width, intrinsics.height) + " pixels",
                    .expected = "the shape of the video, " + SizeText(width, height),
                    .fix = "use whole pictures, or give the cameras of these in " +
                           std::string(kDroidCameraFile) + " beside the episode"});
}

struct DroidAnnotations::File {
  explicit File(fs::path file) : path(std::move(file)) {}

  // The episode's entry, null if there is none.
  const json* Find(const std::string& episode) {
    if (path.empty()) return nullptr;
    std::call_once(once, [this] { entries = JsonReader::OfFile(path).object(); });
    const auto found = entries.find(episode);
    return found == entries.end() ? nullptr : &*found;
  }
  const json* Find(const std::string& episode, const std::string& key) {
    const json* entry = Find(episode);
    return entry != nullptr && entry->is_object() && entry->contains(key) ? &entry->at(key)
                                                                          : nullptr;
  }
  std::string Where(const std::string& episode, const std::string& key) const {
    return path.string() + ": " + episode + '.' + key;
  }

  fs::path path;  // empty: none
  std::once_flag once;
  json entries;
};

DroidAnnotations::DroidAnnotations(const fs::path& root) {
  const auto open = [&](const char* name) {
    return std::make_unique<File>(NearestFile(root, name));
  };
  superset_ = open("cam2base_extrinsic_superset.json");
  extrinsics_ = open("cam2base_extrinsics.json");
  intrinsics_ = open("intrinsics.json");
  language_ = open("droid_language_annotations.json");
}

DroidAnnotations::~DroidAnnotations() = default;

std::optional<Rigid3d> DroidAnnotations::BaseFromCamera(const std::string& episode,
                                                        const std::string& serial) const {
  for (File* file : {superset_.get(), extrinsics_.get()}) {
    if (const json* pose = file->Find(episode, serial)) {
      return RigidFromEulerPose(NumbersOf(*pose, kEulerPoseNumbers, file->Where(episode, serial)));
    }
  }
  return std::nullopt;
}

std::optional<DroidIntrinsics> DroidAnnotations::Intrinsics(const std::string& episode,
                                                            const std::string& serial) const {
  const json* entry = intrinsics_->Find(episode, serial);
  if (entry == nullptr) return std::nullopt;
  const std::string where = intrinsics_->Where(episode, serial);
  DroidIntrinsics found;
  if (!entry->is_object()) {
    found.matrix = PinholeOf(*entry, where);
    return found;
  }
  const JsonReader camera(*entry, where);
  RequireNoLens(camera);
  found.matrix = PinholeOf(camera.At("cameraMatrix"), where + ".cameraMatrix");
  found.width = camera.Int("width", found.width);
  found.height = camera.Int("height", found.height);
  return found;
}

std::string DroidAnnotations::Instruction(const std::string& episode) const {
  const json* sentence = language_->Find(episode, "language_instruction1");
  return sentence != nullptr && sentence->is_string() ? sentence->get<std::string>() : "";
}

std::string DroidAnnotations::Stamp() const {
  std::string stamp;
  for (const File* file :
       {superset_.get(), extrinsics_.get(), intrinsics_.get(), language_.get()}) {
    if (!file->path.empty()) stamp += FileStamp(file->path);
  }
  return stamp;
}

}  // namespace aim
