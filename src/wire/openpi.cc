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

std::optional<WireFrame> GreetOpenpi(const ServedPolicy& policy) {
  MsgpackValue::Map map = {
      {"protocol",
       MsgpackValue::Map{
           {"name", kProtocolName}, {"major", kProtocolMajor}, {"minor", kProtocolMinor}}},
      {"server", "aim " + Version()},
      {"policy", policy.name},
      {"policy_fingerprint", policy.fingerprint},
      {"action_dim", static_cast<int64_t>(kPoseNumbers)},
      {"action_layout", kActionLayout},
      {"frame", "world"},
      {"horizon", policy.num_actions},
      {"action_hz", policy.period_s > 0 ? 1 / policy.period_s : 0.0},
      {"camera_convention", "opencv"},
      {"pixel_origin", "edge"},
      {"views", MsgpackValue::List{policy.num_views, policy.num_views}},
      {"image_resolution", MsgpackValue::List{policy.image_height, policy.image_width}},
      {"max_message_bytes", static_cast<int64_t>(policy.max_message_bytes)},
      {"jobs", MsgpackValue::List(policy.jobs.begin(), policy.jobs.end())}};
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
  request.job = OptionalText(map, "job");
  ReadPictures(map, request);
  ReadCalibration(map, request);
  ReadPose(map, request);
  ReadPoses(map, request);
}

// What a client that sent an id gets back to tell replies by.
void AppendIdentity(const PolicyRequest& request, MsgpackValue::Map& map) {
  if (!request.request_id.empty()) map.push_back({"request_id", request.request_id});
  if (!request.episode_id.empty()) map.push_back({"episode_id", request.episode_id});
}

// [N, 8], row by row.
MsgpackValue PoseRows(const std::vector<ToolPose>& poses) {
  std::vector<double> numbers;
  for (const ToolPose& pose : poses) {
    const auto row = ToNumbers(pose);
    numbers.insert(numbers.end(), row.begin(), row.end());
  }
  return NumpyArray({static_cast<int64_t>(poses.size()), static_cast<int64_t>(kPoseNumbers)},
                    std::span<const double>(numbers));
}

template <class T, class Member>
MsgpackValue ColumnOf(std::span<const DecodedPose> frames, Member member) {
  std::vector<T> column;
  for (const DecodedPose& frame : frames) column.push_back(static_cast<T>(frame.*member));
  return NumpyArray({static_cast<int64_t>(column.size())}, std::span<const T>(column));
}

MsgpackValue VisibleFlags(std::span<const DecodedPose> frames) {
  std::vector<uint8_t> flags;
  const size_t width = frames.empty() ? 0 : frames[0].visible.size();
  for (const DecodedPose& frame : frames) {
    AIM_CHECK(frame.visible.size() == width);
    flags.insert(flags.end(), frame.visible.begin(), frame.visible.end());
  }
  return NumpyArray({static_cast<int64_t>(frames.size()), static_cast<int64_t>(width)},
                    std::span<const uint8_t>(flags));
}

// What is known of each of those frames, a row a frame.
void AppendQuality(std::span<const DecodedPose> frames, double period_s, MsgpackValue::Map& map) {
  map.push_back({"confidence", ColumnOf<double>(frames, &DecodedPose::confidence)});
  map.push_back({"residual_px", ColumnOf<double>(frames, &DecodedPose::residual_px)});
  map.push_back({"decodable", ColumnOf<uint8_t>(frames, &DecodedPose::decodable)});
  map.push_back({"from_prior", ColumnOf<uint8_t>(frames, &DecodedPose::from_prior)});
  map.push_back({"visible", VisibleFlags(frames)});
  map.push_back({"period_s", period_s});
}

void AppendTiming(const PolicyReply& reply, MsgpackValue::Map& map) {
  MsgpackValue::Map timing = {{"infer_ms", reply.infer_ms}, {"queue_ms", reply.queue_ms}};
  if (reply.prev_total_ms) timing.push_back({"prev_total_ms", *reply.prev_total_ms});
  map.push_back({"server_timing", std::move(timing)});
}

// What a job made: videos, their cameras, and a pose for each of their frames, the first too.
MsgpackValue::Map JobMap(const PolicyReply& reply) {
  MsgpackValue::Map map = {{"job", reply.job}};
  for (const SentPicture& video : reply.videos) {
    map.push_back(
        {"video/" + video.name, NumpyArray({video.num_frames, video.height, video.width, 3},
                                           std::span<const uint8_t>(video.rgb))});
    if (!video.camera) continue;
    const std::string prefix = "camera/" + video.name + "/";
    map.push_back({prefix + "intrinsics", NumpyIntrinsics(*video.camera)});
    map.push_back(
        {prefix + "extrinsics_c2w", NumpyMatrix(ToMatrix(video.camera->world_from_camera))});
  }
  if (reply.plan.frames.empty()) return map;
  std::vector<ToolPose> poses;
  for (const DecodedPose& frame : reply.plan.frames) poses.push_back(frame.pose);
  map.push_back({"poses", PoseRows(poses)});
  if (!reply.actions.empty()) map.push_back({"actions", PoseRows(reply.actions)});
  AppendQuality(reply.plan.frames, reply.plan.period_s, map);
  return map;
}

WireFrame AnswerOpenpi(const PolicyRequest& request, const PolicyReply& reply) {
  MsgpackValue::Map map;
  if (!reply.job.empty()) {
    map = JobMap(reply);
  } else {
    AIM_CHECK(reply.actions.size() + 1 == reply.plan.frames.size());
    map.push_back({"actions", PoseRows(reply.actions)});
    AppendQuality(std::span(reply.plan.frames).subspan(1), reply.plan.period_s, map);
  }
  AppendTiming(reply, map);
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
