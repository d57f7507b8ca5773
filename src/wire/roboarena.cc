// RoboArena's wire: openpi's transport with an endpoint in each request.
#include "wire/numpy_value.h"
#include "wire/reply_fields.h"
#include "wire/wires.h"

namespace aim {
namespace {

std::optional<WireFrame> GreetRoboArena(const ServedPolicy& policy) {
  return BinaryFrame(RoboArenaConfig(policy));
}

WireFrame AnswerRoboArena(const PolicyRequest&, const PolicyReply& reply) {
  const std::vector<float> actions = CartesianActions(reply);
  const auto rows = static_cast<int64_t>(reply.actions.size());
  return BinaryFrame(
      MsgpackValue::Map{{"actions", NumpyArray({rows, 7}, std::span<const float>(actions))}});
}

std::optional<WireFrame> AcknowledgeRoboArena(const PolicyRequest&) {
  return WireFrame{.bytes = "reset successful", .is_text = true};
}

WireFrame RefuseRoboArena(const PolicyRequest&, const PolicyFault& fault) {
  return ClosingTextFrame(fault);
}

}  // namespace

Wire RoboArenaWire() {
  return {.name = "roboarena",
          .path = "/roboarena",
          .greet = GreetRoboArena,
          .read = ReadRoboArenaRequest,
          .ignores_text = false,
          .answer = AnswerRoboArena,
          .acknowledge = AcknowledgeRoboArena,
          .refuse = RefuseRoboArena};
}

}  // namespace aim
