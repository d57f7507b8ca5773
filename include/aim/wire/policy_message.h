// What policy servers and their clients say to one another, whichever wire carries it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/words.h"
#include "aim/codec/plan.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

enum class RequestKind {
  kPlan,    // what is seen, to be acted on
  kReset,   // a trial begins
  kPing,    // is the server there?
  kGoodbye  // the client leaves
};

// A picture of one camera, as it was sent: RGB, row-major [height, width, 3].
struct SentPicture {
  std::string name;  // of its camera
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
  std::optional<Camera> camera;  // of this very picture, if its calibration was sent too
};

struct PolicyRequest {
  RequestKind kind = RequestKind::kPlan;
  std::string request_id;  // empty: none was sent; so with the next
  std::string episode_id;
  std::optional<uint64_t> seed;  // of the trial's sampling noise
  std::optional<int> replan;     // plans made before this one in the trial
  std::string prompt;
  std::vector<SentPicture> pictures;  // in the order of the message
  std::optional<ToolPose> pose;       // of the tool, measured as the pictures were taken
};

// A plan, and how it came about.
struct PolicyReply {
  Plan plan;                            // frame 0 is the pose of the request
  std::vector<ToolPose> actions;        // pose targets, one a period, the first one period from now
  double queue_ms = 0;                  // waiting for other clients' plans
  double infer_ms = 0;                  // planning
  std::optional<double> prev_total_ms;  // of the client's reply before this one, all in all
};

enum class FaultCode { kBadRequest, kBusy, kDeadline, kClosing, kInternal };

constexpr auto WordsOf(FaultCode) {
  using enum FaultCode;
  return WordTable<FaultCode, 5>{{{kBadRequest, "bad_request"},
                                  {kBusy, "busy"},
                                  {kDeadline, "deadline"},
                                  {kClosing, "closing"},
                                  {kInternal, "internal"}}};
}

// Why a request has no plan.
struct PolicyFault {
  FaultCode code = FaultCode::kInternal;
  std::string message;  // a sentence

  // The same request may have one later.
  bool is_retryable() const {
    return code != FaultCode::kBadRequest && code != FaultCode::kInternal;
  }
};

// What a server tells about the policy behind it.
struct ServedPolicy {
  std::string name;
  int num_views = 0;    // 0 = any number
  int image_width = 0;  // pictures of another size are resized; 0 = taken as they are
  int image_height = 0;
  int num_actions = 0;  // of a plan; 0 = not fixed
  double period_s = 0;  // between two of them
  uint64_t max_message_bytes = 0;
};

}  // namespace aim
