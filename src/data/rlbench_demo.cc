#include "data/rlbench_demo.h"

#include <cmath>
#include <span>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "data/camera_matrices.h"

namespace aim {
namespace {

constexpr double kCentreTolerancePx = 1.0;  // of the principal point, which is the middle exactly

Pickle Parse(std::string_view bytes, const std::string& where) {
  return ParsePickle(std::as_bytes(std::span(bytes)), where);
}

// A Demo keeps its observations in a list; some tools write the list alone.
const PickleValue* ObservationList(const Pickle& pickle) {
  const PickleValue& root = pickle[pickle.root];
  const PickleValue* list =
      root.kind == PickleKind::kObject ? FindInPickle(pickle, root, "_observations") : &root;
  return list != nullptr && list->kind == PickleKind::kList ? list : nullptr;
}

template <int kSize>
Eigen::Matrix<double, kSize, kSize> MatrixOf(const std::vector<double>& numbers,
                                             const std::string& where) {
  if (numbers.size() != kSize * kSize) {
    throw InputError({.where = where,
                      .got = "of " + CountText(static_cast<int64_t>(numbers.size()), "number"),
                      .expected = "a matrix of " + SizeText(kSize, kSize),
                      .fix = ""});
  }
  return Eigen::Map<const Eigen::Matrix<double, kSize, kSize, Eigen::RowMajor>>(numbers.data());
}

// RLBench's cameras look through the middle of their pictures, whatever their size.
void CheckCentre(const Camera& camera, const std::string& where) {
  if (std::abs(camera.cx - camera.width / 2.0) <= kCentreTolerancePx &&
      std::abs(camera.cy - camera.height / 2.0) <= kCentreTolerancePx) {
    return;
  }
  throw InputError({.where = where + ".intrinsics",
                    .got = "for pictures of " + ToText(2 * camera.cx) + " x " +
                           ToText(2 * camera.cy) + " pixels",
                    .expected = SizeText(camera.width, camera.height) + ", the size of those there",
                    .fix = "scale the intrinsics with the pictures, or record them at this size"});
}

}  // namespace

RlbenchDemo::RlbenchDemo(std::string_view bytes, const std::string& where)
    : where_(where), pickle_(Parse(bytes, where)) {
  const PickleValue* list = ObservationList(pickle_);
  if (list == nullptr || list->items.empty()) {
    throw FormatError({.where = where_,
                       .got = list == nullptr ? "another object than a demonstration"
                                              : "a demonstration without observations",
                       .expected = "a pickled rlbench.demo.Demo",
                       .fix = "copy the episode again"});
  }
  observations_ = list->items;
}

std::string RlbenchDemo::Where(size_t frame) const {
  return where_ + " observation " + std::to_string(frame);
}

const PickleValue& RlbenchDemo::Field(size_t frame, const std::string& key) const {
  const PickleValue* value = FindInPickle(pickle_, pickle_[observations_[frame]], key);
  if (value != nullptr && value->kind != PickleKind::kNone) return *value;
  throw InputError({.where = Where(frame),
                    .got = "without " + key,
                    .expected = "an observation with " + key,
                    .fix = "switch it on in RLBench's ObservationConfig and record again"});
}

std::vector<ToolPose> RlbenchDemo::Poses() const {
  std::vector<ToolPose> poses;
  for (size_t frame = 0; frame < size(); ++frame) {
    std::vector<double> numbers =
        NumbersInPickle(pickle_, Field(frame, "gripper_pose"), Where(frame) + ".gripper_pose");
    const std::vector<double> open =
        NumbersInPickle(pickle_, Field(frame, "gripper_open"), Where(frame) + ".gripper_open");
    numbers.insert(numbers.end(), open.begin(), open.end());
    poses.push_back(ToolPoseFromNumbers(numbers, Where(frame)));
  }
  return poses;
}

RlbenchCamera RlbenchDemo::CameraAt(size_t frame, const std::string& name) const {
  const PickleValue& misc = Field(frame, "misc");
  const auto matrix_of = [&](const std::string& part) {
    const std::string key = name + "_camera_" + part;
    const PickleValue* value = FindInPickle(pickle_, misc, key);
    if (value != nullptr) return NumbersInPickle(pickle_, *value, Where(frame) + ".misc." + key);
    throw InputError(
        {.where = Where(frame) + ".misc",
         .got = "without " + key,
         .expected = "the calibration of every camera that has pictures",
         .fix = "record again with a newer RLBench, or remove the pictures of " + name});
  };
  const std::string where = Where(frame) + ".misc." + name + "_camera";
  return {MatrixOf<3>(matrix_of("intrinsics"), where + "_intrinsics"),
          MatrixOf<4>(matrix_of("extrinsics"), where + "_extrinsics")};
}

CameraTrack RlbenchDemo::Cameras(const std::string& name, int width, int height) const {
  CameraTrack track{.name = name, .frames = {}};
  for (size_t frame = 0; frame < size(); ++frame) {
    const std::string where = Where(frame) + ", camera " + name;
    track.frames.push_back(CheckedRlbenchCamera(CameraAt(frame, name), width, height, where));
    CheckCentre(track.frames.back(), where);
  }
  MergeEqualFrames(track);
  return track;
}

RlbenchDemo ReadRlbenchDemo(const std::filesystem::path& path) {
  return {ReadFile(path), path.string()};
}

int ReadRlbenchVariation(const std::filesystem::path& path) {
  const Pickle pickle = Parse(ReadFile(path), path.string());
  const PickleValue& number = pickle[pickle.root];
  if (number.kind == PickleKind::kInt && number.number >= 0 && number.number <= INT32_MAX) {
    return static_cast<int>(number.number);
  }
  throw FormatError({.where = path.string(),
                     .got = "another object than a whole number",
                     .expected = "the number of the variation",
                     .fix = "copy the episode again"});
}

}  // namespace aim
