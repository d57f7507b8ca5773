// The wire of vla-eval's benchmarks: the client speaks first, every message has a type and a
// number, pictures may be PNG or JPEG, and each observation is answered by one action.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/run_context.h"
#include "aim/base/text.h"
#include "wire/numpy_value.h"
#include "wire/observation_fields.h"
#include "wire/picture_head.h"
#include "wire/reply_fields.h"
#include "wire/wires.h"

namespace aim {
namespace {

constexpr int64_t kVlaEvalProtocol = 1;
constexpr uint64_t kMostPixels = uint64_t{1} << 24;  // some bytes of a file may be many
// Between the two fingers of an open Panda gripper, as robosuite's states have them, metres.
constexpr double kOpenFingersM = 0.08;

// As its clients read messages: all four keys are needed. The time is for people.
WireFrame VlaEvalFrame(const char* type, MsgpackValue::Map payload, const PolicyRequest& request) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return BinaryFrame(MsgpackValue::Map{{"type", type},
                                       {"payload", std::move(payload)},
                                       {"seq", request.sequence},
                                       {"timestamp", std::chrono::duration<double>(now).count()}});
}

std::optional<WireFrame> GreetVlaEval(const ServedPolicy&) { return std::nullopt; }

[[noreturn]] void RefuseVlaEvalPicture(const std::string& where, const std::string& got) {
  throw InputError(
      {.where = where,
       .got = got,
       .expected = "a picture [height, width, 3] of uint8, as it is, as PNG or as JPEG",
       .fix = "choose the image format \"png\", \"jpeg\" or \"raw\" of vla-eval"});
}

// A picture in a file is decoded where it is planned with; its size is known from here on.
SentPicture PictureOfVlaEval(const MsgpackValue& value, std::string name) {
  const std::string where = "images/" + name;
  const std::string format = OptionalText(value, "format");
  if (Find(value, "__image__") == nullptr || format == "raw") {
    return RgbPictureOf(value, where, std::move(name));
  }
  const MsgpackValue* data = Find(value, "data");
  const auto* bytes = data == nullptr ? nullptr : data->As<MsgpackBin>();
  if ((format != "png" && format != "jpeg") || bytes == nullptr) {
    RefuseVlaEvalPicture(where, "of the format " + Excerpt(format));
  }
  const PictureSize size = SizeOfPictureFile(bytes->bytes);
  const uint64_t num_pixels = uint64_t{size.width} * size.height;
  if (num_pixels < 1 || num_pixels > kMostPixels) {
    RefuseVlaEvalPicture(where,
                         "no PNG or JPEG of 1 to " + std::to_string(kMostPixels) + " pixels");
  }
  SentPicture picture;
  picture.name = std::move(name);
  picture.width = static_cast<int>(size.width);
  picture.height = static_cast<int>(size.height);
  picture.encoded = bytes->bytes;
  return picture;
}

void ReadVlaEvalPictures(const MsgpackValue& payload, PolicyRequest& request) {
  const MsgpackValue& images = Required(payload, "images", "a map of pictures");
  const auto* map = images.As<MsgpackValue::Map>();
  if (map == nullptr || map->size() > kMaxPictures) {
    throw InputError({.where = "images",
                      .got = ShownMsgpack(images),
                      .expected = "a map of at most " + std::to_string(kMaxPictures) + " pictures",
                      .fix = ""});
  }
  for (const MsgpackEntry& entry : *map) {
    RequirePictureName(entry.key);
    request.pictures.push_back(PictureOfVlaEval(entry.value, entry.key));
  }
}

// x y z, rotation vector, and the places of the two fingers: the frame that the controller moves,
// or that of the hand.
void ReadVlaEvalState(const MsgpackValue& payload, PolicyRequest& request) {
  const char* key = Find(payload, "controller_states") != nullptr ? "controller_states" : "states";
  const MsgpackValue* states = Find(payload, key);
  if (states == nullptr) return;
  const std::vector<double> numbers = FiniteNumbersOf(*states, 8, key);
  const double fingers_m = std::abs(numbers[6] - numbers[7]);
  request.pose = ToolPose{
      {ExpRotation({numbers[3], numbers[4], numbers[5]}), {numbers[0], numbers[1], numbers[2]}},
      std::clamp(fingers_m / kOpenFingersM, 0.0, 1.0)};
}

RequestKind KindOfVlaEval(const std::string& type) {
  if (type == "observation") return RequestKind::kPlan;
  if (type == "hello") return RequestKind::kPing;
  if (type == "episode_start") return RequestKind::kReset;
  if (type == "episode_end") return RequestKind::kGoodbye;
  throw InputError({.where = "type",
                    .got = Excerpt(type),
                    .expected = "hello, episode_start, observation or episode_end",
                    .fix = ""});
}

void ReadVlaEval(std::string_view message, PolicyRequest& request) {
  const MsgpackValue map = ParseMessageMap(message);
  request.sequence = WholeNumberOf(Required(map, "seq", "the number of the message"),
                                   static_cast<uint64_t>(INT64_MAX), "seq");
  request.one_action = true;
  request.is_untimed = true;
  request.kind = KindOfVlaEval(OptionalText(map, "type"));
  if (request.kind != RequestKind::kPlan) return;
  const MsgpackValue& payload = Required(map, "payload", "what is seen");
  if (payload.As<MsgpackValue::Map>() == nullptr) {
    throw InputError({.where = "payload",
                      .got = ShownMsgpack(payload),
                      .expected = "a map of what is seen",
                      .fix = ""});
  }
  Required(payload, "task_description", "what to do, in words");
  request.prompt = OptionalText(payload, "task_description");
  ReadVlaEvalPictures(payload, request);
  // Benchmarks of one's own may send calibration and pose as openpi's clients of this project do.
  ReadCalibration(payload, request);
  ReadPose(payload, request);
  if (!request.pose) ReadVlaEvalState(payload, request);
}

// Clients of this wire know arrays by keys that are text.
MsgpackValue WithTextKeys(MsgpackValue array) {
  MsgpackValue::Map map = *array.As<MsgpackValue::Map>();
  for (MsgpackEntry& entry : map) entry.is_bin_key = false;
  return map;
}

// x y z, rotation vector, and the gripper: below 0 opens.
WireFrame AnswerVlaEval(const PolicyRequest& request, const PolicyReply& reply) {
  AIM_CHECK(!reply.actions.empty());
  const ToolPose& action = reply.actions.front();
  const Eigen::Vector3d& place = action.world_from_tool.translation;
  const Eigen::Vector3d turn = LogRotation(action.world_from_tool.rotation);
  const auto number = [](double value) { return static_cast<float>(value); };
  const float row[] = {number(place.x()),
                       number(place.y()),
                       number(place.z()),
                       number(turn.x()),
                       number(turn.y()),
                       number(turn.z()),
                       number(1 - 2 * action.gripper_open)};
  return VlaEvalFrame(
      "action", {{"actions", WithTextKeys(NumpyArray({7}, std::span<const float>(row)))}}, request);
}

MsgpackValue DimSpec(const char* name, int dims, const char* format) {
  return MsgpackValue::Map{{"name", name}, {"dims", dims}, {"format", format}};
}

// A hello is answered, the beginning and end of an episode are not. The parameters ask the
// benchmark for all views, its state, and for absolute poses.
std::optional<WireFrame> AcknowledgeVlaEval(const PolicyRequest& request) {
  if (request.kind != RequestKind::kPing) return std::nullopt;
  return VlaEvalFrame(
      "hello",
      {{"harness_version", "aim " + Version()},
       {"protocol_version", kVlaEvalProtocol},
       {"model_server", "aim-serve"},
       {"capabilities", MsgpackValue::Map{}},
       {"observation_params",
        MsgpackValue::Map{
            {"send_wrist_image", true}, {"send_state", true}, {"absolute_action", true}}},
       {"action_spec",
        MsgpackValue::Map{{"position", DimSpec("position", 3, "absolute_xyz")},
                          {"rotation", DimSpec("rotation", 3, "axis_angle")},
                          {"gripper", DimSpec("gripper", 1, "binary_close_positive")}}}},
      request);
}

WireFrame RefuseVlaEval(const PolicyRequest& request, const PolicyFault& fault) {
  return VlaEvalFrame("error", {{"error", ToWord(fault.code) + ": " + fault.message}}, request);
}

}  // namespace

Wire VlaEvalWire() {
  return {.name = "vla-eval",
          .path = "/vla-eval",
          .greet = GreetVlaEval,
          .read = ReadVlaEval,
          .ignores_text = false,
          .answer = AnswerVlaEval,
          .acknowledge = AcknowledgeVlaEval,
          .refuse = RefuseVlaEval};
}

}  // namespace aim
