// low_dim_obs.pkl: what RLBench records of a demonstration beside its pictures.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "aim/format/pickle.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

// A parsed recording; one observation a simulator step.
class RlbenchDemo {
 public:
  // Throws FormatError naming `where` if the bytes are no pickle of a demonstration; nothing in it
  // is executed.
  RlbenchDemo(std::string_view bytes, const std::string& where);

  size_t size() const { return observations_.size(); }

  // gripper_pose and gripper_open of each observation. Throws InputError for one that has none, or
  // whose numbers are no pose.
  std::vector<ToolPose> Poses() const;

  // The camera called `name` of each observation, of pictures of this size. Throws InputError where
  // it is missing, no camera, or of pictures of another size.
  CameraTrack Cameras(const std::string& name, int width, int height) const;

 private:
  const PickleValue& Field(size_t frame, const std::string& key) const;
  RlbenchCamera CameraAt(size_t frame, const std::string& name) const;
  std::string Where(size_t frame) const;

  std::string where_;
  Pickle pickle_;
  std::vector<PickleId> observations_;
};

// Throws InputError if the file is missing, else as RlbenchDemo.
RlbenchDemo ReadRlbenchDemo(const std::filesystem::path& path);

// variation_number.pkl: one whole number, not below zero.
int ReadRlbenchVariation(const std::filesystem::path& path);

}  // namespace aim
