#include "wire/observation_fields.h"

#include <algorithm>
#include <cstring>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/geometry/camera_pair.h"
#include "aim/geometry/euler_pose.h"
#include "wire/numpy_value.h"

namespace aim {
namespace {

constexpr size_t kMaxTextBytes = 4096;
constexpr int64_t kMaxFrames = 10'000;
constexpr size_t kMostOfAKey = 128;  // bytes: it comes back in messages

// Of a key that may hold anything: is it the array of a picture?
bool LooksLikePicture(const MsgpackValue& value) {
  const MsgpackValue* dtype = Find(value, "dtype");
  const MsgpackValue* shape = Find(value, "shape");
  if (dtype == nullptr || shape == nullptr) return false;
  const auto* type_name = dtype->As<std::string>();
  const auto* sizes = shape->As<MsgpackValue::List>();
  if (type_name == nullptr || *type_name != "|u1") return false;
  if (sizes == nullptr || sizes->size() != 3) return false;
  const auto* channels = sizes->back().As<int64_t>();
  return channels != nullptr && *channels == 3;
}

// [H, W, 3], or [T, H, W, 3] of a video.
bool IsPictureShape(const std::vector<int64_t>& shape) {
  if (shape.size() != 3 && shape.size() != 4) return false;
  if (shape.size() == 4 && (shape[0] < 1 || shape[0] > kMaxFrames)) return false;
  const int64_t height = shape[shape.size() - 3];
  const int64_t width = shape[shape.size() - 2];
  return shape.back() == 3 && height >= 1 && width >= 1 && height <= kMaxPictureSidePx &&
         width <= kMaxPictureSidePx;
}

SentPicture PictureOf(const NpyArray& array, std::string name) {
  const size_t num_axes = array.shape.size();
  SentPicture picture;
  picture.name = std::move(name);
  picture.num_frames = num_axes == 4 ? static_cast<int>(array.shape[0]) : 1;
  picture.height = static_cast<int>(array.shape[num_axes - 3]);
  picture.width = static_cast<int>(array.shape[num_axes - 2]);
  picture.rgb.resize(array.bytes.size());
  std::memcpy(picture.rgb.data(), array.bytes.data(), array.bytes.size());
  return picture;
}

template <int kRows, int kColumns>
Eigen::Matrix<double, kRows, kColumns> MatrixOf(const MsgpackValue& value,
                                                const std::string& where) {
  const std::vector<double> numbers = FiniteNumbersOf(value, kRows * kColumns, where);
  return Eigen::Map<const Eigen::Matrix<double, kRows, kColumns, Eigen::RowMajor>>(numbers.data());
}

CameraAxes AxesOf(const MsgpackValue& map) {
  const std::string origin = OptionalText(map, "pixel_origin");
  if (!origin.empty() && origin != "edge") {
    throw InputError({.where = "pixel_origin",
                      .got = Excerpt(origin),
                      .expected = "\"edge\": the picture covers [0, W] x [0, H]",
                      .fix = "add half a pixel to cx and cy that count from pixel centres"});
  }
  const std::string convention = OptionalText(map, "camera_convention");
  if (convention.empty()) return CameraAxes::kOpencv;
  for (const CameraAxes axes : {CameraAxes::kOpencv, CameraAxes::kRlbench}) {
    if (convention == ToWord(axes)) return axes;
  }
  throw InputError({.where = "camera_convention",
                    .got = Excerpt(convention),
                    .expected = "\"opencv\" (x right, y down, z forward) or \"rlbench\" (x left, y "
                                "up, negative focal lengths)",
                    .fix = "convert other axes before they are sent"});
}

double OpennessOf(const MsgpackValue& map, const std::string& key) {
  const MsgpackValue& value =
      Required(map, key, "how far the gripper is, beside the pose of the tool");
  const double openness = FiniteNumbersOf(value, 1, std::string(key))[0];
  if (openness >= -kPoseTolerance && openness <= 1 + kPoseTolerance) return openness;
  throw InputError(
      {.where = key, .got = ToText(openness), .expected = "a number in [0, 1]", .fix = ""});
}

}  // namespace

MsgpackValue ParseMessageMap(std::string_view message) {
  MsgpackValue value = ParseMsgpack(message, "message");
  if (value.As<MsgpackValue::Map>() != nullptr) return value;
  throw FormatError(
      {.where = "message", .got = ShownMsgpack(value), .expected = "a map", .fix = ""});
}

std::string OptionalText(const MsgpackValue& map, const std::string& key) {
  const MsgpackValue* value = Find(map, key);
  if (value == nullptr || value->As<std::monostate>() != nullptr) return "";
  const auto* text = value->As<std::string>();
  if (text != nullptr && text->size() <= kMaxTextBytes) return *text;
  throw InputError({.where = key,
                    .got = ShownMsgpack(*value),
                    .expected = "text of at most " + std::to_string(kMaxTextBytes) + " bytes",
                    .fix = ""});
}

const MsgpackValue& Required(const MsgpackValue& map, const std::string& key,
                             const std::string& expected) {
  if (const MsgpackValue* value = Find(map, key)) return *value;
  throw InputError({.where = key, .got = "missing", .expected = expected, .fix = ""});
}

void RequirePictureName(const std::string& key) {
  if (key.size() <= kMostOfAKey && key == Printable(key, kMostOfAKey)) return;
  throw InputError({.where = "the key " + Excerpt(key),
                    .got = CountText(static_cast<int64_t>(key.size()), "byte") + " long",
                    .expected = "at most " + std::to_string(kMostOfAKey) + " printable ones",
                    .fix = ""});
}

SentPicture RgbPictureOf(const MsgpackValue& value, const std::string& where, std::string name) {
  const auto array = NumpyArrayOf(value, where);
  if (array && array->type == NpyType::kUint8 && IsPictureShape(array->shape)) {
    return PictureOf(*array, std::move(name));
  }
  throw InputError(
      {.where = where,
       .got = array ? "an array of shape " + ShapeText(array->shape) : ShownMsgpack(value),
       .expected = "a picture: uint8 [height, width, 3], RGB (or [frames, height, "
                   "width, 3] of a video)",
       .fix = ""});
}

void ReadPictures(const MsgpackValue& map, PolicyRequest& request) {
  for (const MsgpackEntry& entry : *map.As<MsgpackValue::Map>()) {
    if (!entry.key.starts_with(kObservationPrefix)) continue;
    std::string_view name = std::string_view(entry.key).substr(kObservationPrefix.size());
    const bool must_be_picture = name == "image" || name.starts_with(kImagePrefix);
    if (name.starts_with(kImagePrefix)) name.remove_prefix(kImagePrefix.size());
    if (!must_be_picture && !LooksLikePicture(entry.value)) continue;
    RequirePictureName(entry.key);
    SentPicture picture = RgbPictureOf(entry.value, entry.key, std::string(name));
    if (request.pictures.size() == kMaxPictures) {
      throw InputError({.where = entry.key,
                        .got = "picture " + std::to_string(kMaxPictures + 1),
                        .expected = "at most " + std::to_string(kMaxPictures),
                        .fix = ""});
    }
    const auto has_name = [&](const auto& each) { return each.name == name; };
    if (std::ranges::any_of(request.pictures, has_name)) {
      throw InputError({.where = std::string(kObservationPrefix) + std::string(name),
                        .got = "a picture that is there twice",
                        .expected = "each view once",
                        .fix = ""});
    }
    request.pictures.push_back(std::move(picture));
  }
}

void ReadCalibration(const MsgpackValue& map, PolicyRequest& request) {
  const CameraAxes axes = AxesOf(map);
  for (SentPicture& picture : request.pictures) {
    const std::string prefix = "camera/" + picture.name + "/";
    const MsgpackValue* intrinsics = Find(map, prefix + "intrinsics");
    const MsgpackValue* extrinsics = Find(map, prefix + "extrinsics_c2w");
    if (intrinsics == nullptr && extrinsics == nullptr) continue;
    if (intrinsics == nullptr || extrinsics == nullptr) {
      throw InputError({.where = prefix + (intrinsics == nullptr ? "intrinsics" : "extrinsics_c2w"),
                        .got = "missing",
                        .expected = "both intrinsics [3, 3] and extrinsics_c2w [4, 4] of a camera",
                        .fix = ""});
    }
    picture.camera =
        CameraFromPair({.intrinsics = MatrixOf<3, 3>(*intrinsics, prefix + "intrinsics"),
                        .world_from_camera = MatrixOf<4, 4>(*extrinsics, prefix + "extrinsics_c2w"),
                        .axes = axes,
                        .intrinsics_name = prefix + "intrinsics",
                        .extrinsics_name = prefix + "extrinsics_c2w",
                        .axes_name = "camera_convention"},
                       picture.width, picture.height);
  }
}

void ReadPose(const MsgpackValue& map, PolicyRequest& request) {
  const std::string pose_key = "observation/gripper_pose";
  const std::string euler_key = "observation/cartesian_position";
  if (const MsgpackValue* pose = Find(map, pose_key)) {
    std::vector<double> numbers = FiniteNumbersOf(*pose, 7, pose_key);
    numbers.push_back(OpennessOf(map, "observation/gripper_open"));
    request.pose = ToolPoseFromNumbers(numbers, pose_key);
  } else if (const MsgpackValue* euler = Find(map, euler_key)) {
    const std::vector<double> numbers = FiniteNumbersOf(*euler, kEulerPoseNumbers, euler_key);
    const double closed = OpennessOf(map, "observation/gripper_position");
    request.pose = ToolPose{RigidFromEulerPose(numbers), std::clamp(1 - closed, 0.0, 1.0)};
  }
}

void ReadPoses(const MsgpackValue& map, PolicyRequest& request) {
  const std::string key = "poses";
  const MsgpackValue* value = Find(map, key);
  if (value == nullptr) return;
  const auto array = NumpyArrayOf(*value, key);
  const bool is_right = array && array->shape.size() == 2 &&
                        array->shape[1] == static_cast<int64_t>(kPoseNumbers) &&
                        array->shape[0] >= 1 && array->shape[0] <= kMaxFrames;
  if (!is_right) {
    throw InputError(
        {.where = key,
         .got = array ? "an array of shape " + ShapeText(array->shape) : ShownMsgpack(*value),
         .expected = "[T, 8]: x y z qx qy qz qw open of each frame",
         .fix = ""});
  }
  const auto num_frames = static_cast<size_t>(array->shape[0]);
  const std::vector<double> numbers = FiniteNumbersOf(*value, kPoseNumbers * num_frames, key);
  for (size_t frame = 0; frame < num_frames; ++frame) {
    request.poses.push_back(
        ToolPoseFromNumbers(std::span(numbers).subspan(kPoseNumbers * frame, kPoseNumbers),
                            key + "[" + std::to_string(frame) + "]"));
  }
}

void ReadIdentity(const MsgpackValue& map, PolicyRequest& request) {
  request.request_id = OptionalText(map, "request_id");
  request.episode_id = OptionalText(map, "episode_id");
  if (request.episode_id.empty()) request.episode_id = OptionalText(map, "session_id");
  if (const MsgpackValue* seed = Find(map, "seed")) {
    request.seed = WholeNumberOf(*seed, UINT64_MAX, "seed");
  }
  if (const MsgpackValue* step = Find(map, "step")) {
    request.replan = static_cast<int>(WholeNumberOf(*step, INT32_MAX, "step"));
  }
}

}  // namespace aim
