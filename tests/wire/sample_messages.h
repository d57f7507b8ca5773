// Messages as clients write them, and replies to them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "aim/control/policy.h"
#include "aim/format/msgpack.h"
#include "support/scene.h"
#include "wire/numpy_value.h"

namespace aim::testing {

inline MsgpackValue PictureValue(int height, int width, uint8_t shade = 100) {
  const std::vector<uint8_t> rgb(static_cast<size_t>(height) * static_cast<size_t>(width) * 3,
                                 shade);
  return NumpyArray({height, width, 3}, std::span<const uint8_t>(rgb));
}

inline MsgpackValue NumbersValue(const std::vector<double>& numbers) {
  return NumpyArray({static_cast<int64_t>(numbers.size())}, std::span<const double>(numbers));
}

// An observation of two calibrated cameras, with all that this project reads.
inline MsgpackValue::Map SampleObservation(int size_px = 16) {
  Rng rng(5);
  const std::vector<Camera> rig = MakeCameraRig({.num_views = 2, .size_px = size_px}, rng);
  MsgpackValue::Map map = {{"prompt", "reach the red ball"}};
  const char* names[] = {"front", "side"};
  for (size_t view = 0; view < rig.size(); ++view) {
    const std::string name = names[view];
    map.push_back({"observation/image/" + name,
                   PictureValue(size_px, size_px, static_cast<uint8_t>(100 + view))});
    map.push_back({"camera/" + name + "/intrinsics", NumpyIntrinsics(rig[view])});
    map.push_back(
        {"camera/" + name + "/extrinsics_c2w", NumpyMatrix(ToMatrix(rig[view].world_from_camera))});
  }
  const auto pose = ToNumbers(RandomToolPose(rng));
  map.push_back({"observation/gripper_pose", NumbersValue({pose.begin(), pose.end() - 1})});
  map.push_back({"observation/gripper_open", NumbersValue({pose.back()})});
  return map;
}

// Replaces, adds or (nil) takes away a key.
inline MsgpackValue::Map With(MsgpackValue::Map map, const std::string& key, MsgpackValue value) {
  std::erase_if(map, [&](const MsgpackEntry& entry) { return entry.key == key; });
  if (value.As<std::monostate>() == nullptr) map.push_back({key, std::move(value)});
  return map;
}

}  // namespace aim::testing
