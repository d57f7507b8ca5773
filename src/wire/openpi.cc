// openpi's wire, and what this project adds to it (docs/serving.md): a plain client sees none of
// it.
#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/run_context.h"
#include "aim/base/text.h"
#include "wire/numpy_value.h"
#include "wire/observation_fields.h"
#include "wire/openpi_keys.h"
#include "wire/reply_fields.h"
#include "wire/wires.h"

namespace aim {
namespace {

WireFrame GreetOpenpi(const ServedPolicy& policy) {
  MsgpackValue::Map map = {
      {"protocol",
       MsgpackValue::Map{
           {"name", kProtocolName}, {"major", kProtocolMajor}, {"minor", kProtocolMinor}}},
      {"server", "aim " + Version()},
      {"policy", policy.name},
      {"action_dim", static_cast<int64_t>(kPoseNumbers)},
      {"action_layout", kActionLayout},
      {"frame", "world"},
      {"horizon", policy.num_actions},
      {"action_hz", policy.period_s > 0 ? 1 / policy.period_s : 0.0},
      {"camera_convention", "opencv"},
      {"pixel_origin", "edge"},
      {"views", MsgpackValue::List{policy.num_views, policy.num_views}},
      {"image_resolution", MsgpackValue::List{policy.image_height, policy.image_width}},
      {"max_message_bytes", static_cast<int64_t>(policy.max_message_bytes)}};
  return BinaryFrame(std::move(map));
}

RequestKind KindOf(const std::string& op) {
  if (op.empty() || op == "infer") return RequestKind::kPlan;
  if (op == "reset") return RequestKind::kReset;
  if (op == "ping") return RequestKind::kPing;
  if (op == "bye") return RequestKind::kGoodbye;
  throw InputError({.where = "op",
                    .got = Excerpt(op),
                    .expected = "\"infer\", \"reset\", \"ping\" or \"bye\", or no op",
                    .fix = ""});
}

void ReadOpenpi(std::string_view message, PolicyRequest& request) {
  const MsgpackValue map = ParseMessageMap(message);
  ReadIdentity(map, request);
  request.kind = KindOf(OptionalText(map, "op"));
  if (request.kind != RequestKind::kPlan) return;
  Required(map, "prompt", "what to do, in words");
  request.prompt = OptionalText(map, "prompt");
  ReadPictures(map, request);
  ReadCalibration(map, request);
  ReadPose(map, request);
}

// What a client that sent an id gets back to tell replies by.
void AppendIdentity(const PolicyRequest& request, MsgpackValue::Map& map) {
  if (!request.request_id.empty()) map.push_back({"request_id", request.request_id});
  if (!request.episode_id.empty()) map.push_back({"episode_id", request.episode_id});
}

// A row of numbers for each action, which follow the plan's frame 0.
template <class T, class Member>
MsgpackValue ColumnOf(const Plan& plan, Member member) {
  std::vector<T> column;
  for (size_t k = 1; k < plan.frames.size(); ++k) {
    column.push_back(static_cast<T>(plan.frames[k].*member));
  }
  return NumpyArray({static_cast<int64_t>(column.size())}, std::span<const T>(column));
}

MsgpackValue VisibleFlags(const Plan& plan) {
  std::vector<uint8_t> flags;
  size_t width = plan.frames.size() > 1 ? plan.frames[1].visible.size() : 0;
  for (size_t k = 1; k < plan.frames.size(); ++k) {
    const std::vector<uint8_t>& visible = plan.frames[k].visible;
    AIM_CHECK(visible.size() == width);
    flags.insert(flags.end(), visible.begin(), visible.end());
  }
  const auto rows = static_cast<int64_t>(plan.frames.size()) - 1;
  return NumpyArray({rows, static_cast<int64_t>(width)}, std::span<const uint8_t>(flags));
}

WireFrame AnswerOpenpi(const PolicyRequest& request, const PolicyReply& reply) {
  AIM_CHECK(reply.actions.size() + 1 == reply.plan.frames.size());
  std::vector<double> actions;
  for (const ToolPose& action : reply.actions) {
    const auto numbers = ToNumbers(action);
    actions.insert(actions.end(), numbers.begin(), numbers.end());
  }
  const auto rows = static_cast<int64_t>(reply.actions.size());
  MsgpackValue::Map timing = {{"infer_ms", reply.infer_ms}, {"queue_ms", reply.queue_ms}};
  if (reply.prev_total_ms) timing.push_back({"prev_total_ms", *reply.prev_total_ms});
  MsgpackValue::Map map = {{"actions", NumpyArray({rows, static_cast<int64_t>(kPoseNumbers)},
                                                  std::span<const double>(actions))},
                           {"confidence", ColumnOf<double>(reply.plan, &DecodedPose::confidence)},
                           {"residual_px", ColumnOf<double>(reply.plan, &DecodedPose::residual_px)},
                           {"decodable", ColumnOf<uint8_t>(reply.plan, &DecodedPose::decodable)},
                           {"from_prior", ColumnOf<uint8_t>(reply.plan, &DecodedPose::from_prior)},
                           {"visible", VisibleFlags(reply.plan)},
                           {"period_s", reply.plan.period_s},
                           {"server_timing", std::move(timing)}};
  AppendIdentity(request, map);
  return BinaryFrame(std::move(map));
}

std::optional<WireFrame> AcknowledgeOpenpi(const PolicyRequest& request) {
  const char* status = request.kind == RequestKind::kReset  ? "reset"
                       : request.kind == RequestKind::kPing ? "pong"
                                                            : "bye";
  MsgpackValue::Map map = {{"status", status}};
  AppendIdentity(request, map);
  return BinaryFrame(std::move(map));
}

WireFrame RefuseOpenpi(const PolicyRequest& request, const PolicyFault& fault) {
  if (request.request_id.empty()) return ClosingTextFrame(fault);
  MsgpackValue::Map map = {{"error", MsgpackValue::Map{{"code", ToWord(fault.code)},
                                                       {"message", fault.message},
                                                       {"retryable", fault.is_retryable()}}}};
  AppendIdentity(request, map);
  return BinaryFrame(std::move(map));
}

}  // namespace

Wire OpenpiWire() {
  return {.name = "openpi",
          .path = "/openpi",
          .greet = GreetOpenpi,
          .read = ReadOpenpi,
          .ignores_text = false,
          .answer = AnswerOpenpi,
          .acknowledge = AcknowledgeOpenpi,
          .refuse = RefuseOpenpi};
}

}  // namespace aim
