// Episodes as the robots of DROID and BridgeData recorded them.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/text.h"
#include "aim/data/episode.h"
#include "aim/media/image.h"
#include "data/project_files.h"
#include "support/hdf5_writer.h"
#include "support/pickled.h"

namespace aim::testing {

inline constexpr std::array kDroidSerials = {"22008760", "24400334", "16787047"};

// What a test may have otherwise.
struct DroidRawOptions {
  std::vector<double> is_enabled = {};  // of each step; empty: the recording does not say
  bool has_extrinsics = true;
  std::string uuid = "TRI+52ca9b6a+2024-01-16-16h-43m-04s";
};

inline void AppendPose(const Rigid3d& pose, std::vector<double>& rows) {
  const Eigen::Vector3d euler = EulerFromRotation(pose.rotation);
  for (const double value : pose.translation) rows.push_back(value);
  for (const double value : euler) rows.push_back(value);
}

// Steps are the episode's frames: the pose of frame k was commanded in step k - 1.
inline std::vector<Hdf5Array> DroidArrays(const Episode& episode, const DroidRawOptions& options) {
  const Clip& clip = episode.clip;
  const size_t num_steps = clip.poses.size();
  std::vector<double> state, state_gripper, action, action_gripper, times_ms;
  for (size_t step = 0; step < num_steps; ++step) {
    const bool is_measured = step > 0 && !episode.measured.empty();
    const ToolPose& measured = is_measured ? episode.measured[step] : clip.poses[step];
    const ToolPose& next = clip.poses[std::min(step + 1, num_steps - 1)];
    AppendPose(measured.world_from_tool, state);
    state_gripper.push_back(1 - measured.gripper_open);
    AppendPose(next.world_from_tool, action);
    action_gripper.push_back(1 - next.gripper_open);
    times_ms.push_back(1.7e12 + std::round(1000 * static_cast<double>(step) / 15));
  }
  std::vector<Hdf5Array> arrays = {
      {"observation/robot_state/cartesian_position", state, {6}},
      {"observation/robot_state/gripper_position", state_gripper, {}},
      {"action/cartesian_position", action, {6}},
      {"action/gripper_position", action_gripper, {}},
      {"observation/timestamp/control/step_start", times_ms, {}, Hdf5Kind::kInt64}};
  if (!options.is_enabled.empty()) {
    arrays.push_back(
        {"observation/controller_info/movement_enabled", options.is_enabled, {}, Hdf5Kind::kFlag});
  }
  for (size_t view = 0; view < clip.views.size() && options.has_extrinsics; ++view) {
    std::vector<double> rows;
    for (size_t step = 0; step < num_steps; ++step) {
      AppendPose(clip.views[view].camera.at(step).world_from_camera, rows);
    }
    arrays.push_back(
        {"observation/camera_extrinsics/" + std::string(kDroidSerials.at(view)) + "_left",
         rows,
         {6}});
  }
  return arrays;
}

// Of cameras whose pictures are not of DROID's own size.
inline nlohmann::json DroidIntrinsicsOf(const Clip& clip) {
  nlohmann::json cameras;
  for (size_t view = 0; view < clip.views.size(); ++view) {
    const Camera& camera = clip.views[view].camera.at(0);
    cameras[kDroidSerials.at(view)] = {
        {"cameraMatrix", {camera.fx, camera.cx, camera.fy, camera.cy}},
        {"distCoeffs", {0, 0, 0, 0, 0}},
        {"width", clip.width},
        {"height", clip.height}};
  }
  return cameras;
}

// Everything but what stands beside the data set.
inline void WriteDroidRawEpisode(const std::filesystem::path& folder, const Episode& episode,
                                 const DroidRawOptions& options = {}) {
  const Clip& clip = episode.clip;
  WriteHdf5(folder / "trajectory.h5", DroidArrays(episode, options));
  nlohmann::json metadata = {{"uuid", options.uuid},
                             {"current_task", clip.prompt},
                             {"trajectory_length", clip.poses.size()}};
  constexpr std::array kNames = {"ext1", "ext2", "wrist"};
  for (size_t view = 0; view < kNames.size(); ++view) {
    metadata[std::string(kNames[view]) + "_cam_serial"] = kDroidSerials[view];
  }
  WriteFileAtomic(folder / ("metadata_" + options.uuid + ".json"), DumpJson(metadata, 1));
  for (size_t view = 0; view < clip.views.size(); ++view) {
    const std::string file = std::string(kDroidSerials.at(view)) + ".mp4";
    // Sixty frames a second, whatever the robot's rate: the file speaks of the camera.
    WriteVideo(folder / "recordings/MP4" / file, {clip.width, clip.height, 60},
               clip.views[view].rgb, {.lossless = true});
  }
}

inline void WriteDroidRaw(const std::filesystem::path& root, const std::vector<Episode>& episodes) {
  nlohmann::json intrinsics;
  for (size_t i = 0; i < episodes.size(); ++i) {
    const std::string uuid = "TRI+52ca9b6a+2024-01-16-16h-43m-0" + std::to_string(i) + "s";
    WriteDroidRawEpisode(
        root / "TRI/success/2024-01-16" / ("Tue_Jan_16_16:43:0" + std::to_string(i) + "_2024"),
        episodes[i], {.uuid = uuid});
    intrinsics[uuid] = DroidIntrinsicsOf(episodes[i].clip);
  }
  WriteFileAtomic(root / "intrinsics.json", DumpJson(intrinsics));
}

inline std::string PickledObservations(const std::vector<double>& times_s) {
  const auto count = static_cast<int64_t>(times_s.size());
  return PickledFile(PickledItems(
      {{"full_state", PickledArray({count, 7}, std::vector<double>(times_s.size() * 7, 0.25))},
       {"time_stamp", PickledArray({count}, times_s)}}));
}

// The pictures are PNG files in spite of their names, so that they come back as they were.
inline void WriteBridgeRawEpisode(const std::filesystem::path& folder, const Clip& clip) {
  std::vector<double> times_s;
  for (size_t view = 0; view < clip.views.size(); ++view) {
    for (int frame = 0; frame < clip.views[view].num_frames; ++frame) {
      Image picture(clip.width, clip.height);
      const auto begin =
          clip.views[view].rgb.begin() + static_cast<ptrdiff_t>(picture.rgb.size()) * frame;
      std::copy_n(begin, picture.rgb.size(), picture.rgb.begin());
      const std::filesystem::path path =
          folder / ("images" + std::to_string(view)) / ("im_" + std::to_string(frame) + ".jpg");
      const std::filesystem::path png = path.string() + ".png";
      WriteImage(png, picture);
      std::filesystem::rename(png, path);
      if (view == 0) times_s.push_back(1.68e9 + 0.2 * frame);
    }
  }
  WriteFileAtomic(folder / "obs_dict.pkl", PickledObservations(times_s));
  WriteFileAtomic(folder / "policy_out.pkl", PickledFile(PickledList({})));
  WriteFileAtomic(folder / "lang.txt", clip.prompt + "\nconfidence: 1\n");
}

inline void WriteBridgeRaw(const std::filesystem::path& root,
                           const std::vector<Episode>& episodes) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    WriteBridgeRawEpisode(root / "datacol2_toykitchen7/pnp/00/2023-04-19_09-18-15/raw/traj_group0" /
                              ("traj" + std::to_string(i)),
                          episodes[i].clip);
  }
}

}  // namespace aim::testing
