// The policy of a model: what it sees becomes an action video, the action video a plan.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "aim/control/clip_jobs.h"
#include "aim/control/policy.h"
#include "aim/policy/shared_model.h"
#include "aim/recipe/model_options.h"

namespace aim {

// What a plan may take.
struct PlanBudget {
  double ms = 0;             // 0: as the options say, however long it takes
  std::string settled = {};  // with a budget: the identity of an earlier policy, which is kept
};

struct ModelPolicyOptions {
  ModelOptions model;
  std::string mode = "i2a";  // or "i2va": imagines the video too, and is slower
  std::string device = "cpu";
  PlanBudget budget;
};

// Loads the bundle once, for all episodes. A plan has the model's number of frames at its frame
// rate; frame 0 is the present pose itself, frames of low confidence are filled in from their
// neighbours and marked. The sampling noise depends on (input.seed, input.replan) alone.
//
// With a budget, plans are timed before the first one, and steps, cache and mode are chosen to meet
// it; the log says which, and the policy's identity holds them. Times differ from run to run: a run
// that goes on with another has those of that one.
//
// Throws InputError for a damaged bundle, ConfigError for a mode that does not act or that the
// model was not trained for, or a budget that no plan meets. Act throws ConfigError for a number of
// views or a picture size that the model was not trained for.
std::unique_ptr<Policy> MakeModelPolicy(const ModelPolicyOptions& options);

// Makes any number of such policies of one bundle, which `model` holds. They may be used at the
// same time and take turns to plan, with all else that `model` generates.
std::function<std::unique_ptr<Policy>()> ModelPolicies(const std::shared_ptr<SharedModel>& model,
                                                       const std::string& mode,
                                                       const PlanBudget& budget = {});

// That policy and all jobs that the model was trained for, of one bundle that is loaded once. A job
// that acts makes of the same request the plan that a policy of that mode makes.
ServedModel MakeServedModel(const ModelPolicyOptions& options);

}  // namespace aim
