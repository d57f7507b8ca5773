#include "env/child_messages.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr int64_t kMostVariations = 1'000'000;
constexpr size_t kMostNames = 1000;
constexpr size_t kMostTextBytes = 4096;

// The fields of one map of a message.
class MapFields {
 public:
  MapFields(const MsgpackValue& map, std::string where) : map_(map), where_(std::move(where)) {}

  const std::string& Text(const char* key) const {
    const std::string& text = Typed<std::string>(key, "text");
    if (text.size() > kMostTextBytes) {
      Refuse(key, CountText(static_cast<int64_t>(text.size()), "byte") + " long",
             "at most " + std::to_string(kMostTextBytes));
    }
    return text;
  }
  bool Has(const char* key) const { return Find(map_, key) != nullptr; }
  bool Flag(const char* key) const { return Typed<bool>(key, "true or false"); }
  const MsgpackValue::List& List(const char* key, size_t most) const {
    const auto& list = Typed<MsgpackValue::List>(key, "a list");
    if (list.size() > most)
      Refuse(key, ShownMsgpack(Value(key)), "at most " + std::to_string(most));
    return list;
  }
  int Whole(const char* key, int64_t most) const {
    const int64_t number = Typed<int64_t>(key, "a whole number");
    if (number < 0 || number > most) {
      Refuse(key, std::to_string(number), "in [0, " + std::to_string(most) + "]");
    }
    return static_cast<int>(number);
  }
  double Number(const char* key) const { return NumberOf(Value(key), key); }
  std::vector<double> Numbers(const char* key, size_t count) const {
    return NumbersOf(Value(key), key, count);
  }
  // Of a value in the list `key`, or `key` itself.
  std::vector<double> NumbersOf(const MsgpackValue& value, const std::string& key,
                                size_t count) const {
    const auto* list = value.As<MsgpackValue::List>();
    if (list == nullptr) Refuse(key, ShownMsgpack(value), "a list of numbers");
    if (list->size() != count) {
      Refuse(key, ShownMsgpack(value), std::to_string(count) + " numbers");
    }
    std::vector<double> numbers;
    numbers.reserve(count);
    for (const MsgpackValue& item : *list) numbers.push_back(NumberOf(item, key));
    return numbers;
  }
  Eigen::Vector3d Point(const char* key) const {
    return Eigen::Map<const Eigen::Vector3d>(Numbers(key, 3).data());
  }
  std::vector<uint8_t> Bytes(const char* key, size_t count) const {
    const std::string& bytes = Typed<MsgpackBin>(key, "bytes").bytes;
    if (bytes.size() != count) {
      Refuse(key, CountText(static_cast<int64_t>(bytes.size()), "byte") + " long",
             std::to_string(count));
    }
    return {bytes.begin(), bytes.end()};
  }
  const MsgpackValue& Value(const char* key) const {
    const MsgpackValue* value = Find(map_, key);
    if (value == nullptr) Refuse(key, "missing", "there");
    return *value;
  }
  std::string Where(const std::string& key) const {
    return where_.empty() ? key : where_ + "." + key;
  }
  [[noreturn]] void Refuse(const std::string& key, const std::string& got,
                           const std::string& expected) const {
    throw InputError({.where = Where(key), .got = got, .expected = expected, .fix = ""});
  }

 private:
  template <class T>
  const T& Typed(const char* key, const char* expected) const {
    const T* value = Value(key).As<T>();
    if (value == nullptr) Refuse(key, ShownMsgpack(Value(key)), expected);
    return *value;
  }
  double NumberOf(const MsgpackValue& value, const std::string& key) const {
    const auto* whole = value.As<int64_t>();
    const auto* number = value.As<double>();
    const double result = whole != nullptr    ? static_cast<double>(*whole)
                          : number != nullptr ? *number
                                              : std::nan("");
    if (!std::isfinite(result)) Refuse(key, ShownMsgpack(value), "finite numbers");
    return result;
  }

  const MsgpackValue& map_;
  std::string where_;
};

void CheckProtocol(const MsgpackValue& message) {
  const MapFields fields(MapFields(message, "").Value("protocol"), "protocol");
  const std::string& name = fields.Text("name");
  const int major = fields.Whole("major", INT32_MAX);
  if (name == kEnvProtocol && major == kEnvProtocolMajor) return;
  throw ConfigError(
      {.where = "the simulator's protocol",
       .got = Excerpt(name) + " version " + std::to_string(major),
       .expected = std::string(kEnvProtocol) + " version " + std::to_string(kEnvProtocolMajor),
       .fix = "use the scripts of this version of aim"});
}

template <int kSize>
Eigen::Matrix<double, kSize, kSize> SquareMatrix(const MapFields& fields, const char* key) {
  const std::vector<double> numbers = fields.Numbers(key, kSize * kSize);
  return Eigen::Map<const Eigen::Matrix<double, kSize, kSize, Eigen::RowMajor>>(numbers.data());
}

// Axes that are not what the script says they are end the run: no trial could be played.
Camera CameraFrom(const MapFields& fields, CameraAxes axes, int size) {
  try {
    return CameraFromPair({.intrinsics = SquareMatrix<3>(fields, "intrinsics"),
                           .world_from_camera = SquareMatrix<4>(fields, "extrinsics"),
                           .axes = axes,
                           .intrinsics_name = fields.Where("intrinsics"),
                           .extrinsics_name = fields.Where("extrinsics"),
                           .axes_name = "camera_axes"},
                          size, size);
  } catch (const CameraAxesError& error) {
    Problem problem = error.problem();
    problem.where = "the simulator's " + problem.where;
    throw ConfigError(problem);
  }
}

MsgpackValue::List NumberList(const auto& numbers) {
  MsgpackValue::List list;
  for (const double number : numbers) list.emplace_back(number);
  return list;
}

MsgpackValue::List MatrixList(const Eigen::MatrixXd& matrix) {
  return NumberList(matrix.transpose().reshaped());
}

// Names of environment variables: no option of a run is called so.
bool IsVariableName(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](const char letter) {
    return (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') || letter == '_';
  });
}

std::map<std::string, std::string> SettingsFrom(const MapFields& fields) {
  std::map<std::string, std::string> settings;
  const MsgpackValue& value = fields.Value("settings");
  const auto* map = value.As<MsgpackValue::Map>();
  if (map == nullptr || map->size() > kMostNames) {
    fields.Refuse("settings", ShownMsgpack(value), "a map of names and texts");
  }
  const MapFields entries(value, "settings");
  for (const MsgpackEntry& entry : *map) {
    if (!IsVariableName(entry.key)) {
      fields.Refuse("settings", "with the name " + Excerpt(entry.key),
                    "names of environment variables: A to Z, 0 to 9, _");
    }
    settings[entry.key] = entries.Text(entry.key.c_str());
  }
  return settings;
}

std::string IndexedName(const char* list, size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

}  // namespace

ChildDescription DescriptionFrom(const MsgpackValue& message) {
  CheckProtocol(message);
  const MapFields fields(message, "");
  ChildDescription description;
  description.simulator = fields.Text("simulator");
  if (fields.Has("settings")) description.settings = SettingsFrom(fields);  // from 1.2 on
  const Eigen::Vector3d scene_centre = fields.Point("scene_centre");
  for (const MsgpackValue& item : fields.List("tasks", kMostNames)) {
    const MapFields task(item, IndexedName("tasks", description.tasks.size()));
    if (task.Whole("variations", kMostVariations) == 0) task.Refuse("variations", "0", "1 or more");
    description.tasks.push_back(
        {.name = task.Text("name"),
         .num_variations = task.Whole("variations", kMostVariations),
         .frames_without_expert = task.Whole("frames_without_expert", kMostVariations),
         .scene_centre = task.Has("scene_centre") ? task.Point("scene_centre") : scene_centre});
  }
  for (const MsgpackValue& item : fields.List("views", kMostNames)) {
    const auto* name = item.As<std::string>();
    if (name == nullptr) fields.Refuse("views", ShownMsgpack(item), "names");
    description.views.push_back(*name);
  }
  if (description.tasks.empty()) fields.Refuse("tasks", "empty", "at least one");
  if (description.views.empty()) fields.Refuse("views", "empty", "at least one");
  description.camera_axes = FromWord<CameraAxes>(fields.Text("camera_axes"), "camera_axes");
  description.frame_period_s = fields.Number("frame_period_s");
  description.control_hz = fields.Number("control_hz");
  description.workspace_low = fields.Point("workspace_low");
  description.workspace_high = fields.Point("workspace_high");
  if (!(description.workspace_low.array() < description.workspace_high.array()).all()) {
    fields.Refuse("workspace_low", "not below workspace_high", "a box");
  }
  description.can_place_cameras = fields.Flag("can_place_cameras");
  return description;
}

ChildObservation ObservationFrom(const MsgpackValue& message, const ChildDescription& description,
                                 int image_size) {
  const MapFields fields(message, "");
  ChildObservation result;
  Observation& seen = result.observation;
  seen.time_s = fields.Number("time_s");
  seen.clip.prompt = fields.Text("prompt");
  seen.clip.height = seen.clip.width = image_size;
  seen.clip.poses = {ToolPoseFromNumbers(fields.Numbers("tool", kPoseNumbers), "tool")};
  result.success = fields.Flag("success");
  const MsgpackValue::List& views = fields.List("views", kMostNames);
  if (views.size() != description.views.size()) {
    fields.Refuse("views", ShownMsgpack(views), std::to_string(description.views.size()));
  }
  const auto side = static_cast<size_t>(image_size);
  for (size_t i = 0; i < views.size(); ++i) {
    const MapFields view(views[i], IndexedName("views", i));
    if (view.Text("name") != description.views[i]) {
      view.Refuse("name", Excerpt(view.Text("name")), Excerpt(description.views[i]));
    }
    ClipView clip_view;
    clip_view.camera = {.name = description.views[i],
                        .frames = {CameraFrom(view, description.camera_axes, image_size)}};
    clip_view.num_frames = 1;
    clip_view.rgb = view.Bytes("rgb", side * side * 3);
    seen.clip.views.push_back(std::move(clip_view));
  }
  return result;
}

StepOutcome OutcomeFrom(const MsgpackValue& message) {
  return FromWord<StepOutcome>(MapFields(message, "").Text("outcome"), "outcome");
}

ChildPlan PlanFrom(const MsgpackValue& message) {
  const MapFields fields(message, "");
  ChildPlan plan;
  plan.at_start = Find(message, "at_start") != nullptr && fields.Flag("at_start");  // from 1.1 on
  for (const MsgpackValue& item : fields.List("commands", kMostVariations)) {
    const std::string where = IndexedName("commands", plan.commands.size());
    plan.commands.push_back(
        ToolPoseFromNumbers(fields.NumbersOf(item, where, kPoseNumbers), where));
  }
  return plan;
}

std::vector<std::vector<GripperMark>> MarksFrom(const MsgpackValue& message, size_t num_views,
                                                int image_size) {
  const MapFields fields(message, "");
  const auto& views = fields.List("views", num_views);
  if (views.size() != num_views) {
    fields.Refuse("views", ShownMsgpack(views), std::to_string(num_views));
  }
  const auto side = static_cast<size_t>(image_size);
  std::vector<std::vector<GripperMark>> result;
  for (const MsgpackValue& view : views) {
    const MapFields view_fields(view, IndexedName("views", result.size()));
    std::vector<GripperMark> marks;
    for (const MsgpackValue& item : view_fields.List("marks", kMostNames)) {
      const MapFields mark(item, view_fields.Where(IndexedName("marks", marks.size())));
      marks.push_back({mark.Text("name"), mark.Point("position"), mark.Bytes("mask", side * side)});
    }
    result.push_back(std::move(marks));
  }
  return result;
}

std::vector<uint8_t> PictureFrom(const MsgpackValue& message, int size) {
  const auto side = static_cast<size_t>(size);
  return MapFields(message, "").Bytes("rgb", side * side * 3);
}

MsgpackValue OpenMessage(const EnvOptions& options) {
  return MsgpackValue::Map{{"op", "open"},
                           {"protocol", MsgpackValue::Map{{"name", kEnvProtocol},
                                                          {"major", kEnvProtocolMajor},
                                                          {"minor", kEnvProtocolMinor}}},
                           {"image_size", options.image_size},
                           {"frame_period_s", options.frame_period_s}};
}

MsgpackValue SceneMessage(const std::string& op, const std::string& task, int variation,
                          uint64_t seed) {
  return MsgpackValue::Map{{"op", op}, {"task", task}, {"variation", variation}, {"seed", seed}};
}

MsgpackValue StepMessage(const ToolPose& target) {
  return MsgpackValue::Map{{"op", "step"}, {"target", NumberList(ToNumbers(target))}};
}

MsgpackValue CamerasMessage(const std::vector<CameraTrack>& views, CameraAxes axes) {
  MsgpackValue::List list;
  for (const CameraTrack& view : views) {
    const Camera& camera = view.frames.front();
    const bool is_rlbench = axes == CameraAxes::kRlbench;
    const Eigen::Matrix4d world_from_camera =
        is_rlbench ? ToRlbench(camera).world_from_camera : ToMatrix(camera.world_from_camera);
    const double fovy_rad = 2 * std::atan(0.5 * camera.height / camera.fy);
    list.emplace_back(MsgpackValue::Map{{"name", view.name},
                                        {"extrinsics", MatrixList(world_from_camera)},
                                        {"fovy_rad", fovy_rad}});
  }
  return MsgpackValue::Map{{"op", "place_cameras"}, {"views", std::move(list)}};
}

}  // namespace aim
