// From a request to a plan: which pictures are the policy's views, at which size, by which camera.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "aim/control/clip_jobs.h"
#include "aim/control/policy.h"
#include "aim/wire/policy_message.h"

namespace aim {

// What a server knows of its clients' cameras that they do not send.
struct ViewOptions {
  std::vector<std::string> views = {};  // pictures to use, by name and in order; none: see SeenClip
  std::vector<CameraTrack> cameras = {};  // of pictures without calibration, by the picture's name
  bool stretched = false;                 // pictures are the cameras' in another shape
};

// What the policy sees of a request, or what its job starts from. The views are those of
// `options.views`; else the pictures that were sent with calibration; else those of which a camera
// is known, in the order of the cameras. Pictures of another size than the policy needs are cut to
// its shape and resized, the intrinsics with them. Throws InputError that names what is missing, of
// another length than the job needs, or nothing that it starts from.
Clip SeenClip(const PolicyRequest& request, const PolicyNeeds& needs, const ViewOptions& options);

// How plans become the actions that clients get.
struct ActionOptions {
  double min_confidence = 0;  // those of frames below it repeat the one before
  // In replies that tell no rate:
  double action_hz = 0;  // actions a second; 0 = the plan's own rate
  int chunk = 0;         // actions of a plan, after which the client asks again; 0 = all
};

// One of the requests that are planned together; borrowed.
struct PlanAsk {
  const PolicyRequest* request = nullptr;
  PlanRequest plan_request;
};

// What came of it: a reply, or why there is none.
struct PlanOutcome {
  PolicyReply reply;
  std::exception_ptr error;
};

class Planner {
 public:
  Planner(ServedModel model, ViewOptions views, const ActionOptions& actions = {});

  const PolicyNeeds& needs() const { return needs_; }
  const std::vector<std::string>& jobs() const { return jobs_; }
  // Of each plan in a reply that tells no rate; 0 = not fixed.
  int NumUntimedActions() const;

  // Of each request the plan and its actions, or what its job makes; the times are left to the
  // caller. Plans are made together, and one that fails alone; errors are InputError and
  // ConfigError for what the model cannot do or start from.
  std::vector<PlanOutcome> MakePlans(const std::vector<PlanAsk>& asks);

 private:
  PolicyReply RunJob(const PolicyRequest& request, const PlanRequest& plan_request);
  std::vector<ToolPose> ActionsOf(const Plan& plan, const PolicyRequest& request) const;

  ServedModel model_;
  PolicyNeeds needs_;
  std::vector<std::string> jobs_;
  ViewOptions views_;
  ActionOptions actions_;
};

}  // namespace aim
