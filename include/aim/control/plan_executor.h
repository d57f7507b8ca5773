// Executing one plan while the next is being made.
#pragma once

#include <future>
#include <optional>
#include <vector>

#include "aim/control/policy.h"

namespace aim {

// Pose targets at even steps of `period_s` out of plans that come now and then. A robot's loop asks
// for the target of each step; a plan that comes late begins where it would be by then.
class PlanExecutor {
 public:
  // The horizon of `options` is whoever's who asks for plans: nothing is cut here.
  PlanExecutor(const ExecutionOptions& options, double period_s);

  // From step `now` on `plan` is in force, whose frame 0 belongs to step `first_step` <= now; what
  // it meant for the steps between is left out, and a ramp begins at `present`, the tool at `now`.
  // Throws as ExecutionTargets does.
  void Take(const Plan& plan, int first_step, int now, const ToolPose& present);

  bool has_plan() const { return !targets_.empty(); }
  // Where the tool is to be after step `step`: the plan's last pose once it has run out.
  const ToolPose& TargetAt(int step) const;
  // The first step that the plan in force says nothing about.
  int end_step() const { return first_step_ + static_cast<int>(targets_.size()); }

 private:
  ExecutionOptions options_;
  double period_s_;
  int first_step_ = 0;  // of the first of targets_
  std::vector<ToolPose> targets_;
};

// A plan and what making it took.
struct MadePlan {
  Plan plan;
  double plan_s = 0;  // the sum of its stages, or the wall time of a policy that tells none
  std::vector<PlanStage> stages = {};
};
MadePlan MakePlan(Policy& policy, const Clip& seen, const PlanRequest& request);

// A policy that plans on a thread of its own, one plan at a time. Its destructor waits for the plan
// under way.
class BackgroundPlanner {
 public:
  explicit BackgroundPlanner(Policy& policy) : policy_(policy) {}

  // While the plan is made the policy is the planner's alone. None may be under way.
  void Ask(Clip seen, const PlanRequest& request);
  bool is_asked() const { return plan_.valid(); }
  bool IsReady() const;  // Take() will not wait
  // Waits for the plan that was asked for. Throws what Policy::Act threw.
  MadePlan Take() { return plan_.get(); }

 private:
  Policy& policy_;
  std::future<MadePlan> plan_;
};

}  // namespace aim
