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
  kPing,    // is the server there? Who is it?
  kGoodbye  // the client leaves
};

// A picture or video of one camera, as it was sent: RGB, row-major [num_frames, height, width, 3].
struct SentPicture {
  std::string name;  // of its camera
  int width = 0;
  int height = 0;
  int num_frames = 1;
  std::vector<uint8_t> rgb;
  std::string encoded = {};      // in place of rgb: the bytes of a PNG or JPEG file of that size
  std::optional<Camera> camera;  // of these very pictures, if its calibration was sent too
};

struct PolicyRequest {
  RequestKind kind = RequestKind::kPlan;
  std::string request_id;  // empty: none was sent; so with the next
  std::string episode_id;
  std::optional<uint64_t> seed;  // of the trial's sampling noise
  std::optional<int> replan;     // plans made before this one in the trial
  std::string job;  // i2a, i2va, v2a, a2v or i2v; empty: a plan, in the server's own way
  std::string prompt;
  std::vector<SentPicture> pictures;  // in the order of the message
  std::optional<ToolPose> pose;       // of the tool, measured as the pictures were taken
  std::vector<ToolPose> poses;        // one a frame, of a job that starts from them
  // The client wants one action after another, each when it has seen what the last one did.
  bool one_action = false;
  // The reply cannot tell a rate: its actions come at that which the server was told.
  bool is_untimed = false;
  uint64_t sequence = 0;  // of the message, where its wire counts them
};

// A plan or what else was asked for, and how it came about.
struct PolicyReply {
  std::string job;                // of the request
  Plan plan;                      // frame 0 is the pose of the request; empty if a job makes
                                  // none
  std::vector<ToolPose> actions;  // pose targets, one a period, the first one period from now
  std::vector<SentPicture> videos = {};  // of a job that makes them, with their cameras
  double queue_ms = 0;                   // waiting for other clients' plans
  double infer_ms = 0;                   // planning
  std::optional<double> prev_total_ms;   // of the client's reply before this one, all in all
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
  std::string fingerprint = {};  // of the model's files and of what its plans depend on; empty:
                                 // not known
  int num_views = 0;             // 0 = any number
  int image_width = 0;           // pictures of another size are resized; 0 = taken as they are
  int image_height = 0;
  int num_actions = 0;          // of a plan; 0 = not fixed
  double period_s = 0;          // between two of them
  int num_untimed_actions = 0;  // of a plan in a reply that tells no rate; 0 = not fixed
  std::vector<std::string> jobs = {};
  uint64_t max_message_bytes = 0;
};

// What tells a policy from others, for people too: "tiny (fingerprint 0f3c..., 2 views of 64x64, 16
// actions of 0.12 s)". The same means the same plans.
std::string IdentityOf(const ServedPolicy& served);

}  // namespace aim
