// Episodes as the Action Images project keeps Bridge and DROID.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/text.h"
#include "aim/data/episode.h"
#include "aim/format/npy.h"
#include "aim/media/video.h"
#include "tensor/torch_zip_writer.h"

namespace aim::testing {

inline void WriteLossless(const std::filesystem::path& path, const Clip& clip, size_t view) {
  WriteVideo(path, {clip.width, clip.height, clip.fps}, clip.views[view].rgb, {.lossless = true});
}

inline Eigen::Matrix3d IntrinsicsOf(const Camera& camera) {
  return Eigen::Matrix3d{{camera.fx, 0, camera.cx}, {0, camera.fy, camera.cy}, {0, 0, 1}};
}

template <class Matrix>
void AppendRows(const Matrix& matrix, int rows, std::vector<double>& values) {
  for (int row = 0; row < rows; ++row) {
    for (const double value : matrix.row(row)) values.push_back(value);
  }
}

// `vggt_scale`: the size that cameras are found at, by that of the videos.
inline void WriteBridgeEpisode(const std::filesystem::path& folder, const Clip& clip,
                               double vggt_scale) {
  std::vector<double> extrinsics, intrinsics;
  for (size_t view = 0; view < clip.views.size(); ++view) {
    WriteLossless(folder / "video" / (std::to_string(view) + ".mp4"), clip, view);
    const Camera& camera = clip.views[view].camera.at(0);
    AppendRows(ToMatrix(Inverse(camera.world_from_camera)), 3, extrinsics);
    Eigen::Matrix3d k = IntrinsicsOf(camera);
    k.topRows<2>() *= vggt_scale;
    AppendRows(k, 3, intrinsics);
  }
  const auto count = static_cast<int64_t>(clip.views.size());
  WriteNpy(folder / "vggt/0/extrinsic.npy", {count, 3, 4}, extrinsics);
  WriteNpy(folder / "vggt/0/intrinsic.npy", {count, 3, 3}, intrinsics);
  WriteFileAtomic(folder / "instruction.txt", clip.prompt + "\nthe same in other words\n");
}

inline void WriteBridge(const std::filesystem::path& root, const std::vector<Episode>& episodes) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    WriteBridgeEpisode(root / "processed" / ("episode_" + std::to_string(i)), episodes[i].clip,
                       2.5);
  }
}

template <class Matrix>
nlohmann::json RowsOf(const Matrix& matrix) {
  nlohmann::json rows = nlohmann::json::array();
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    std::vector<double> values;
    for (const double value : matrix.row(row)) values.push_back(value);
    rows.push_back(values);
  }
  return rows;
}

// An archive of one array, as numpy.savez writes it.
inline void WriteNpz(const std::filesystem::path& path, const std::string& name,
                     const std::vector<int64_t>& shape, const std::vector<double>& values) {
  const std::filesystem::path array = path.string() + ".npy";
  WriteNpy(array, shape, values);
  WriteFileAtomic(path, MakeZip({{name + ".npy", ReadFile(array)}}));
  std::filesystem::remove(array);
}

inline void WriteDroidEpisode(const std::filesystem::path& folder, const Clip& clip) {
  nlohmann::json cameras;
  for (size_t view = 0; view < clip.views.size(); ++view) {
    const std::string name = "ext" + std::to_string(view + 1);
    WriteLossless(folder / "video" / (name + ".mp4"), clip, view);
    const Camera& camera = clip.views[view].camera.at(0);
    cameras[name] = {{"intrinsics", RowsOf(IntrinsicsOf(camera))},
                     {"extrinsics", RowsOf(ToMatrix(camera.world_from_camera))}};
  }
  std::vector<double> actions;
  for (const ToolPose& pose : clip.poses) {
    const Eigen::Vector3d& p = pose.world_from_tool.translation;
    const Eigen::Vector3d euler = EulerFromRotation(pose.world_from_tool.rotation);
    actions.insert(actions.end(),
                   {p.x(), p.y(), p.z(), euler.x(), euler.y(), euler.z(), 1 - pose.gripper_open});
  }
  WriteNpz(folder / "action.npz", "action", {static_cast<int64_t>(clip.poses.size()), 7}, actions);
  WriteFileAtomic(folder / "camera.json", DumpJson(cameras, 1));
  WriteFileAtomic(folder / "instruction.txt", clip.prompt + "\n");
}

inline void WriteDroid(const std::filesystem::path& root, const std::vector<Episode>& episodes) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    WriteDroidEpisode(root / ("lab+" + std::to_string(i)), episodes[i].clip);
  }
}

}  // namespace aim::testing
