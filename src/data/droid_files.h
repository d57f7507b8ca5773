// What the two forms of DROID share: its poses and its cameras (OpenCV axes); the world is the
// robot's base.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"
#include "data/camera_matrices.h"

namespace aim {

// A pose of six numbers (data/camera_matrices.h) and DROID's gripper: 0 open, 1 closed. What the
// gripper's sensor says beyond its ends, by a tenth at most, is its end. Throws InputError naming
// `where`.
ToolPose DroidPose(std::span<const double> pose, double gripper, const std::string& where);

// {"ext1": {"intrinsics": 3x3, "extrinsics": 4x4 camera-to-base}}, beside an episode.
inline constexpr const char* kDroidCameraFile = "camera.json";

// The camera called `name` in what such a file at `path` holds, of pictures of this size. Throws
// InputError naming the file and the camera if it is missing or wrong.
Camera DroidFileCamera(const nlohmann::json& cameras, const std::filesystem::path& path,
                       const std::string& name, int width, int height, CameraTrust trust);

// DROID records pictures of 1280 x 720, for which all its intrinsics are. Those of pictures that
// were made smaller are scaled; throws InputError naming `where` if they have another shape.
inline constexpr int kDroidWidthPx = 1280;
inline constexpr int kDroidHeightPx = 720;
struct DroidIntrinsics {
  Eigen::Matrix3d matrix = Eigen::Matrix3d::Identity();
  int width = kDroidWidthPx;
  int height = kDroidHeightPx;
};
Camera DroidCamera(const DroidIntrinsics& intrinsics, const Rigid3d& base_from_camera, int width,
                   int height, const std::string& where, CameraTrust trust);

// What DROID's authors released after the recordings, each {episode: ...} in one file for all
// episodes (docs/reference/formats.md 2.3):
//   cam2base_extrinsic_superset.json, cam2base_extrinsics.json   {serial: x y z and Euler angles}
//   intrinsics.json                                              {serial: fx cx fy cy}
//   droid_language_annotations.json                              {"language_instruction1": ...}
// A file is read when it is first asked for. Thread-safe.
class DroidAnnotations {
 public:
  // Those in the folder `root` or, where it has none of that name, in the nearest of the six above.
  explicit DroidAnnotations(const std::filesystem::path& root);
  ~DroidAnnotations();

  // Nothing where no file has the episode or its camera. Throws InputError for a file that is
  // wrong.
  std::optional<Rigid3d> BaseFromCamera(const std::string& episode,
                                        const std::string& serial) const;
  std::optional<DroidIntrinsics> Intrinsics(const std::string& episode,
                                            const std::string& serial) const;
  std::string Instruction(const std::string& episode) const;  // or ""

  std::string Stamp() const;  // of all files (base/file_stamp.h)

 private:
  struct File;
  std::unique_ptr<File> superset_, extrinsics_, intrinsics_, language_;
};

}  // namespace aim
