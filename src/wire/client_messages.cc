#include "wire/client_messages.h"

#include <set>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "wire/numpy_value.h"
#include "wire/observation_fields.h"
#include "wire/openpi_keys.h"

namespace aim {
namespace {

constexpr size_t kMostActions = 100'000;
constexpr uint64_t kMostOfAGreeting = kMostActions;  // pixels, views, actions

void AppendView(MsgpackValue::Map& map, const std::string& name, const ClipView& view, int height,
                int width) {
  AIM_CHECK(view.num_frames == 1);
  const Camera& camera = view.camera.at(0);
  map.push_back({"observation/image/" + name,
                 NumpyArray({height, width, 3}, std::span<const uint8_t>(view.rgb))});
  map.push_back({"camera/" + name + "/intrinsics", NumpyIntrinsics(camera)});
  map.push_back(
      {"camera/" + name + "/extrinsics_c2w", NumpyMatrix(ToMatrix(camera.world_from_camera))});
}

// The numbers of a column of the reply, one or `width` an action.
std::vector<double> ReadColumn(const MsgpackValue& map, const std::string& key, size_t count) {
  return FiniteNumbersOf(Required(map, key, "a number for each action"), count, key);
}

size_t NumActions(const NpyArray& actions) {
  const std::vector<int64_t>& shape = actions.shape;
  const bool is_right = shape.size() == 2 && shape[1] == static_cast<int64_t>(kPoseNumbers) &&
                        shape[0] >= 1 && static_cast<size_t>(shape[0]) <= kMostActions;
  if (is_right) return static_cast<size_t>(shape[0]);
  throw FormatError({.where = "actions",
                     .got = "of shape " + ShapeText(shape),
                     .expected = "[N, 8]: x y z qx qy qz qw open",
                     .fix = ""});
}

Plan ReadPlan(const MsgpackValue& map, const ToolPose& present) {
  const auto actions = NumpyArrayOf(Required(map, "actions", "poses"), "actions");
  if (!actions) {
    throw FormatError({.where = "actions", .got = "no array", .expected = "[N, 8]", .fix = ""});
  }
  const size_t count = NumActions(*actions);
  const std::vector<double> poses = FiniteNumbersOf(*Find(map, "actions"), 8 * count, "actions");
  const std::vector<double> confidence = ReadColumn(map, "confidence", count);
  const std::vector<double> residual_px = ReadColumn(map, "residual_px", count);
  const std::vector<double> decodable = ReadColumn(map, "decodable", count);
  const std::vector<double> from_prior = ReadColumn(map, "from_prior", count);
  const auto visible = NumpyArrayOf(Required(map, "visible", "flags"), "visible");
  const size_t num_flags = visible ? visible->bytes.size() / ItemBytes(visible->type) / count : 0;
  const std::vector<double> flags = ReadColumn(map, "visible", num_flags * count);
  Plan plan;
  plan.period_s = FiniteNumbersOf(Required(map, "period_s", "seconds"), 1, "period_s")[0];
  if (!(plan.period_s > 0)) {
    throw FormatError({.where = "period_s",
                       .got = "not positive",
                       .expected = "seconds between actions",
                       .fix = ""});
  }
  DecodedPose first;
  first.pose = present;
  first.decodable = true;
  first.confidence = 1;
  first.visible.assign(num_flags, 0);  // measured, not seen
  plan.frames.push_back(std::move(first));
  for (size_t k = 0; k < count; ++k) {
    DecodedPose frame;
    frame.pose = ToolPoseFromNumbers(std::span(poses).subspan(8 * k, 8),
                                     "actions[" + std::to_string(k) + "]");
    frame.confidence = confidence[k];
    frame.residual_px = residual_px[k];
    frame.decodable = decodable[k] != 0;
    frame.from_prior = from_prior[k] != 0;
    for (size_t i = 0; i < num_flags; ++i) frame.visible.push_back(flags[k * num_flags + i] != 0);
    plan.frames.push_back(std::move(frame));
  }
  return plan;
}

PolicyFault ReadFault(const MsgpackValue& error) {
  PolicyFault fault;
  fault.message = OptionalText(error, "message");
  const std::string code = OptionalText(error, "code");
  for (const auto& word : WordsOf(FaultCode())) {
    if (code == word.text) fault.code = word.value;
  }
  return fault;
}

uint64_t WholeOr(const MsgpackValue& map, const std::string& key, uint64_t fallback) {
  const MsgpackValue* value = Find(map, key);
  return value == nullptr ? fallback : WholeNumberOf(*value, INT32_MAX, key);
}

int FirstOfPair(const MsgpackValue& map, const std::string& key) {
  const MsgpackValue* value = Find(map, key);
  const auto* list = value == nullptr ? nullptr : value->As<MsgpackValue::List>();
  if (list == nullptr || list->empty()) return 0;
  return static_cast<int>(WholeNumberOf(list->front(), kMostOfAGreeting, key));
}

void RequireOurProtocol(const MsgpackValue& map) {
  const MsgpackValue* protocol = Find(map, "protocol");
  const std::string fix = "point the URL at aim-serve, with its wire openpi";
  if (protocol == nullptr || OptionalText(*protocol, "name") != kProtocolName ||
      OptionalText(map, "action_layout") != kActionLayout) {
    throw FormatError({.where = "the server's greeting",
                       .got = "without protocol " + std::string(kProtocolName),
                       .expected = "a policy server that takes calibration and poses",
                       .fix = fix});
  }
  const uint64_t major = WholeOr(*protocol, "major", 0);
  if (major == kProtocolMajor) return;
  throw FormatError({.where = "the server's protocol",
                     .got = "of major version " + std::to_string(major),
                     .expected = std::to_string(kProtocolMajor),
                     .fix = "use the client that belongs to the server"});
}

}  // namespace

std::string PlanMessage(const Clip& seen, const PlanRequest& request, const RequestIds& ids) {
  AIM_CHECK(seen.poses.size() == 1);
  Validate(seen.poses[0], "observation: pose");
  MsgpackValue::Map map = {{"request_id", ids.request_id}, {"episode_id", ids.episode_id},
                           {"seed", request.seed},         {"step", request.replan},
                           {"prompt", seen.prompt},        {"camera_convention", "opencv"}};
  std::set<std::string> names;
  for (size_t view = 0; view < seen.views.size(); ++view) {
    std::string name = seen.views[view].camera.name;
    if (name.empty() || !names.insert(name).second) name = "view" + std::to_string(view);
    AppendView(map, name, seen.views[view], seen.height, seen.width);
  }
  const auto numbers = ToNumbers(seen.poses[0]);
  map.push_back(
      {"observation/gripper_pose", NumpyArray({7}, std::span<const double>(numbers).first<7>())});
  map.push_back({"observation/gripper_open", numbers[7]});
  return ToMsgpack(map);
}

std::string ResetMessage(uint64_t seed, const RequestIds& ids) {
  return ToMsgpack(MsgpackValue::Map{{"op", "reset"},
                                     {"seed", seed},
                                     {"request_id", ids.request_id},
                                     {"episode_id", ids.episode_id}});
}

ServedPolicy ReadGreeting(std::string_view message) {
  const MsgpackValue map = ParseMessageMap(message);
  RequireOurProtocol(map);
  ServedPolicy served;
  served.name = OptionalText(map, "policy");
  served.fingerprint = OptionalText(map, "policy_fingerprint");
  served.num_views = FirstOfPair(map, "views");
  served.image_height = served.image_width = FirstOfPair(map, "image_resolution");
  if (const MsgpackValue* horizon = Find(map, "horizon")) {
    served.num_actions = static_cast<int>(WholeNumberOf(*horizon, kMostOfAGreeting, "horizon"));
  }
  const MsgpackValue* rate = Find(map, "action_hz");
  const double action_hz = rate == nullptr ? 0 : FiniteNumbersOf(*rate, 1, "action_hz")[0];
  served.period_s = action_hz > 0 ? 1 / action_hz : 0;
  served.max_message_bytes = WholeOr(map, "max_message_bytes", 0);
  return served;
}

std::optional<ServerAnswer> ReadAnswer(std::string_view message, const std::string& request_id,
                                       const ToolPose& present) {
  const MsgpackValue map = ParseMessageMap(message);
  if (OptionalText(map, "request_id") != request_id) return std::nullopt;
  ServerAnswer answer;
  if (const MsgpackValue* error = Find(map, "error")) {
    answer.fault = ReadFault(*error);
  } else if (Find(map, "status") == nullptr) {
    answer.plan = ReadPlan(map, present);
  }
  return answer;
}

}  // namespace aim
