// VGGT's predictions: extrinsic [V, 3, 4] and intrinsic [V, 3, 3], in two .npy files, in one .npz
// or in a folder with the two.
#include "aim/base/error.h"
#include "aim/data/vggt_cameras.h"
#include "aim/format/npz.h"
#include "calibration/camera_formats.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

struct VggtArrays {
  NamedArray extrinsics;
  NamedArray intrinsics;
};

NamedArray ReadNamed(const fs::path& path) { return {ReadNpy(path), path.string()}; }

VggtArrays ReadVggtArrays(const std::vector<std::string>& files) {
  if (files.size() == 1 && fs::is_directory(files[0])) {
    return {ReadNamed(fs::path(files[0]) / "extrinsic.npy"),
            ReadNamed(fs::path(files[0]) / "intrinsic.npy")};
  }
  if (files.size() == 1) {
    return {{ReadNpzArray(files[0], {"extrinsic", "extrinsics"}), files[0] + " extrinsic"},
            {ReadNpzArray(files[0], {"intrinsic", "intrinsics"}), files[0] + " intrinsic"}};
  }
  if (files.size() != 2) {
    throw ConfigError({.where = "files",
                       .got = std::to_string(files.size()),
                       .expected = "one .npz, extrinsic.npy and intrinsic.npy, or their folder",
                       .fix = ""});
  }
  VggtArrays arrays{ReadNamed(files[0]), ReadNamed(files[1])};
  const auto& shape = arrays.extrinsics.array.shape;
  if (!shape.empty() && shape.back() == 3) std::swap(arrays.extrinsics, arrays.intrinsics);
  return arrays;
}

}  // namespace

ForeignCameras ReadVggtCameras(const CamerasOptions& options) {
  const VggtArrays arrays = ReadVggtArrays(options.files);
  ForeignCameras cameras{
      .views = {}, .world = "VGGT's own: the first view's frame", .is_metric = false};
  for (const Camera& camera : VggtCameras(arrays.extrinsics, arrays.intrinsics)) {
    const std::string name = "view" + std::to_string(cameras.views.size());
    cameras.views.push_back({.name = name,
                             .where = arrays.intrinsics.where + " " + name,
                             .camera = camera,
                             .world_from_camera = {camera.world_from_camera}});
  }
  return cameras;
}

}  // namespace aim
