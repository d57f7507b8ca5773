// Episodes as RLBench leaves them on disk.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/data/episode.h"
#include "aim/media/image.h"
#include "support/pickled.h"

namespace aim::testing {

inline constexpr std::array kRlbenchCameras = {"front", "left_shoulder", "right_shoulder",
                                               "overhead"};

template <class Matrix>
std::string PickledMatrix(const Matrix& matrix) {
  std::vector<double> values;
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    for (Eigen::Index col = 0; col < matrix.cols(); ++col) values.push_back(matrix(row, col));
  }
  return PickledArray({matrix.rows(), matrix.cols()}, values);
}

// What an observation says of a camera.
inline std::vector<std::pair<std::string, std::string>> PickledCamera(const std::string& name,
                                                                      const Camera& camera) {
  const RlbenchCamera rlbench = ToRlbench(camera);
  return {{name + "_camera_intrinsics", PickledMatrix(rlbench.intrinsics)},
          {name + "_camera_extrinsics", PickledMatrix(rlbench.world_from_camera)}};
}

inline std::string PickledObservation(const Clip& clip, size_t frame) {
  const auto pose = ToNumbers(clip.poses.at(frame));
  std::vector<std::pair<std::string, std::string>> misc;
  for (size_t view = 0; view < clip.views.size(); ++view) {
    for (auto& item : PickledCamera(kRlbenchCameras.at(view), clip.views[view].camera.at(frame))) {
      misc.push_back(std::move(item));
    }
  }
  return PickledObject(
      "rlbench.backend.observation\nObservation",
      PickledItems({{"front_rgb", "N"},
                    {"gripper_pose", PickledArray({7}, {pose.begin(), pose.begin() + 7})},
                    {"gripper_open", PickledArray({}, {pose[7]})},
                    {"misc", PickledItems(misc)}}));
}

inline std::string PickledDemo(const Clip& clip) {
  std::vector<std::string> observations;
  for (size_t frame = 0; frame < clip.poses.size(); ++frame) {
    observations.push_back(PickledObservation(clip, frame));
  }
  return PickledFile(PickledObject("rlbench.demo\nDemo",
                                   PickledItems({{"_observations", PickledList(observations)}})));
}

inline void WriteRlbenchEpisode(const std::filesystem::path& folder, const Episode& episode) {
  const Clip& clip = episode.clip;
  WriteFileAtomic(folder / "low_dim_obs.pkl", PickledDemo(clip));
  WriteFileAtomic(folder / "variation_number.pkl", PickledFile(PickledInt(episode.variation)));
  WriteFileAtomic(folder / "variation_descriptions.pkl",
                  PickledFile(PickledList({PickledText(clip.prompt), PickledText("or so")})));
  for (size_t view = 0; view < clip.views.size(); ++view) {
    Image picture(clip.width, clip.height);
    for (int frame = 0; frame < clip.views[view].num_frames; ++frame) {
      const auto begin =
          clip.views[view].rgb.begin() + static_cast<ptrdiff_t>(picture.rgb.size()) * frame;
      picture.rgb.assign(begin, begin + static_cast<ptrdiff_t>(picture.rgb.size()));
      WriteImage(folder / (std::string(kRlbenchCameras.at(view)) + "_rgb") /
                     (std::to_string(frame) + ".png"),
                 picture);
    }
  }
}

// PerAct's tree.
inline void WriteRlbench(const std::filesystem::path& root, const std::vector<Episode>& episodes) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    WriteRlbenchEpisode(
        root / episodes[i].task / "all_variations/episodes" / ("episode" + std::to_string(i)),
        episodes[i]);
  }
}

}  // namespace aim::testing
