// Messages as clients write them, and replies to them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "aim/control/policy.h"
#include "aim/format/msgpack.h"
#include "aim/format/png.h"
#include "aim/wire/wire.h"
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

// The same as vla-eval's clients send it, one picture as PNG, one as it is; cameras and pose beside
// their own keys.
inline MsgpackValue::Map VlaEvalObservation(int size_px = 16) {
  MsgpackValue::Map payload = {{"task_description", "reach the red ball"}};
  MsgpackValue::Map images;
  for (const MsgpackEntry& entry : SampleObservation(size_px)) {
    if (entry.key == "observation/image/side") images.push_back({"side", entry.value});
    if (!entry.key.starts_with("observation/image/") && entry.key != "prompt") {
      payload.push_back(entry);
    }
  }
  const std::vector<uint8_t> rgb(static_cast<size_t>(size_px) * static_cast<size_t>(size_px) * 3,
                                 100);
  images.insert(images.begin(),
                {"front", MsgpackValue::Map{{"__image__", true},
                                            {"format", "png"},
                                            {"data", MsgpackBin{EncodePng(size_px, size_px, rgb)}},
                                            {"shape", MsgpackValue::List{size_px, size_px, 3}}}});
  payload.push_back({"images", std::move(images)});
  return {{"type", "observation"}, {"payload", std::move(payload)}, {"seq", 7}, {"timestamp", 0.5}};
}

inline std::string SampleMessage(const Wire& wire, int size_px) {
  return ToMsgpack(wire.name == "vla-eval" ? VlaEvalObservation(size_px)
                                           : SampleObservation(size_px));
}

// A message as that wire reads it.
inline PolicyRequest ReadBy(const std::string& wire, const MsgpackValue& message) {
  PolicyRequest request;
  FindWire(wire).read(ToMsgpack(message), request);
  return request;
}

}  // namespace aim::testing
