// From a request to a plan: which pictures are the policy's views, at which size, by which camera.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aim/control/policy.h"
#include "aim/wire/policy_message.h"

namespace aim {

// What a server knows of its clients' cameras that they do not send.
struct ViewOptions {
  std::vector<std::string> views = {};  // pictures to use, by name and in order; none: see SeenClip
  std::vector<CameraTrack> cameras = {};  // of pictures without calibration, by the picture's name
  bool stretched = false;                 // pictures are the cameras' in another shape
};

// What the policy sees of a request. The views are those of `options.views`; else the pictures that
// were sent with calibration; else those of which a camera is known, in the order of the cameras.
// Pictures of another size than the policy needs are cut to its shape and resized, the intrinsics
// with them. Throws InputError that names what is missing.
Clip SeenClip(const PolicyRequest& request, const PolicyNeeds& needs, const ViewOptions& options);

class Planner {
 public:
  // `min_confidence`: actions of frames below it repeat the one before.
  Planner(std::unique_ptr<Policy> policy, ViewOptions views, double min_confidence);

  const PolicyNeeds& needs() const { return needs_; }

  // The plan and its actions; the times are left to the caller. Throws InputError, ConfigError for
  // what the policy cannot plan from.
  PolicyReply MakePlan(const PolicyRequest& request, const PlanRequest& plan_request);

 private:
  std::unique_ptr<Policy> policy_;
  PolicyNeeds needs_;
  ViewOptions views_;
  double min_confidence_;
};

}  // namespace aim
