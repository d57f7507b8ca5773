// A synthetic clip as the files that aim-generate and aim-label read.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/codec/pose_csv.h"
#include "aim/media/image.h"
#include "aim/media/video.h"
#include "policy/tiny_bundle.h"

namespace aim::testing {

inline Image FirstPicture(const Clip& clip, size_t view) {
  Image image(clip.width, clip.height);
  std::copy_n(clip.views[view].rgb.begin(), image.rgb.size(), image.rgb.begin());
  return image;
}

// view0.png, view0.mp4 (lossless), ..., cameras.json and poses.csv.
inline void WriteClipFiles(const std::filesystem::path& folder, const Clip& clip) {
  std::vector<CameraTrack> cameras;
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const std::string name = "view" + std::to_string(v);
    WriteImage(folder / (name + ".png"), FirstPicture(clip, v));
    WriteVideo(folder / (name + ".mp4"), {clip.width, clip.height, clip.fps}, clip.views[v].rgb,
               {.lossless = true});
    cameras.push_back(clip.views[v].camera);
  }
  WriteCamerasJson(folder / "cameras.json", cameras);
  WritePosesCsv(folder / "poses.csv", clip.poses, 1 / clip.fps);
}

// "x y z qx qy qz qw open".
inline std::string PoseText(const ToolPose& pose) {
  const Eigen::Vector3d& p = pose.world_from_tool.translation;
  const Eigen::Quaterniond& q = pose.world_from_tool.rotation;
  std::string text;
  for (const double value : {p.x(), p.y(), p.z(), q.x(), q.y(), q.z(), q.w()}) {
    text += ToText(value) + " ";
  }
  return text + ToText(pose.gripper_open);
}

}  // namespace aim::testing
