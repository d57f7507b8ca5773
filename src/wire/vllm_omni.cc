// The wire of vLLM-Omni's robot endpoint: RoboArena's keys, arrays without a map around them.
#include "wire/numpy_value.h"
#include "wire/reply_fields.h"
#include "wire/wires.h"

namespace aim {
namespace {

constexpr int64_t kCartesianNumbers = 7;

std::optional<WireFrame> GreetVllmOmni(const ServedPolicy& policy) {
  MsgpackValue::Map config = RoboArenaConfig(policy);
  if (policy.num_untimed_actions > 0) {
    config.push_back({"action_horizon", policy.num_untimed_actions});
  }
  config.push_back({"action_dim", kCartesianNumbers});
  return BinaryFrame(std::move(config));
}

WireFrame AnswerVllmOmni(const PolicyRequest&, const PolicyReply& reply) {
  const std::vector<float> actions = CartesianActions(reply);
  const auto rows = static_cast<int64_t>(reply.actions.size());
  return BinaryFrame(NumpyArray({rows, kCartesianNumbers}, std::span<const float>(actions)));
}

std::optional<WireFrame> AcknowledgeVllmOmni(const PolicyRequest&) {
  return BinaryFrame(MsgpackValue::Map{{"status", "reset successful"}});
}

WireFrame RefuseVllmOmni(const PolicyRequest&, const PolicyFault& fault) {
  return BinaryFrame(MsgpackValue::Map{{"type", "error"}, {"message", fault.message}});
}

}  // namespace

Wire VllmOmniWire() {
  return {.name = "vllm-omni",
          .path = "/v1/realtime/robot/openpi",
          .greet = GreetVllmOmni,
          .read = ReadRoboArenaRequest,
          .ignores_text = true,
          .answer = AnswerVllmOmni,
          .acknowledge = AcknowledgeVllmOmni,
          .refuse = RefuseVllmOmni};
}

}  // namespace aim
