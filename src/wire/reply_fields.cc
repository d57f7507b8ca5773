#include "wire/reply_fields.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/base/words.h"
#include "wire/observation_fields.h"

namespace aim {
namespace {

// "exterior_image_1_left" -> 1; -1 for the wrist's and others.
int ExteriorNumber(std::string_view name) {
  constexpr std::string_view kExterior = "exterior_image_";
  if (!name.starts_with(kExterior) || name.size() <= kExterior.size()) return -1;
  const char digit = name[kExterior.size()];
  return digit >= '0' && digit <= '9' ? digit - '0' : -1;
}

}  // namespace

WireFrame BinaryFrame(MsgpackValue map) { return {.bytes = ToMsgpack(map)}; }

WireFrame ClosingTextFrame(const PolicyFault& fault) {
  return {.bytes = ToWord(fault.code) + ": " + fault.message, .is_text = true, .closes = true};
}

std::vector<float> CartesianActions(const PolicyReply& reply) {
  std::vector<float> rows;
  for (const ToolPose& action : reply.actions) {
    const Eigen::Vector3d angles_rad = EulerFromRotation(action.world_from_tool.rotation);
    for (const double number : action.world_from_tool.translation) {
      rows.push_back(static_cast<float>(number));
    }
    for (const double angle_rad : angles_rad) rows.push_back(static_cast<float>(angle_rad));
    rows.push_back(static_cast<float>(1 - action.gripper_open));
  }
  return rows;
}

MsgpackValue::Map RoboArenaConfig(const ServedPolicy& policy) {
  MsgpackValue resolution;  // nil: pictures as they are
  if (policy.image_width > 0) {
    resolution = MsgpackValue::List{policy.image_height, policy.image_width};
  }
  return {{"image_resolution", std::move(resolution)},
          {"needs_wrist_camera", false},
          {"n_external_cameras", std::clamp(policy.num_views, 0, 2)},
          {"needs_stereo_camera", false},
          {"needs_session_id", false},
          {"action_space", "cartesian_position"}};
}

void ReadRoboArenaRequest(std::string_view message, PolicyRequest& request) {
  const MsgpackValue map = ParseMessageMap(message);
  ReadIdentity(map, request);
  const std::string endpoint = OptionalText(map, "endpoint");
  if (endpoint == "reset") {
    request.kind = RequestKind::kReset;
    return;
  }
  if (!endpoint.empty() && endpoint != "infer") {
    throw InputError({.where = "endpoint",
                      .got = Excerpt(endpoint),
                      .expected = "\"infer\" or \"reset\"",
                      .fix = ""});
  }
  request.is_untimed = true;
  Required(map, "prompt", "what to do, in words");
  request.prompt = OptionalText(map, "prompt");
  ReadPictures(map, request);
  // Programs count exterior cameras from 0 or from 1; the order is that of the numbers. The others,
  // on the wrist, come after them.
  std::ranges::stable_sort(request.pictures, {}, [](const SentPicture& picture) {
    const int number = ExteriorNumber(picture.name);
    return number < 0 ? 10 : number;
  });
  ReadCalibration(map, request);
  ReadPose(map, request);
}

}  // namespace aim
