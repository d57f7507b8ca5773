#include "aim/control/plan_executor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "aim/base/error.h"

namespace aim {

PlanExecutor::PlanExecutor(const ExecutionOptions& options, double period_s)
    : options_(options), period_s_(period_s) {
  options_.horizon = 0;
}

void PlanExecutor::Take(const Plan& plan, int first_step, int now, const ToolPose& present) {
  AIM_CHECK(first_step <= now);
  first_step_ = now;
  if (first_step == now) {
    targets_ = ExecutionTargets(plan, present, period_s_, options_);
    return;
  }
  ExecutionOptions without_ramp = options_;
  without_ramp.ramp_frames = 0;
  std::vector<ToolPose> targets = ExecutionTargets(plan, present, period_s_, without_ramp);
  // Of a plan that is over before it comes, the last pose is left.
  const size_t num_past = std::min(static_cast<size_t>(now - first_step), targets.size() - 1);
  targets.erase(targets.begin(), targets.begin() + static_cast<std::ptrdiff_t>(num_past));
  const size_t ramp = std::min(static_cast<size_t>(options_.ramp_frames), targets.size());
  for (size_t i = 0; i + 1 < ramp; ++i) {
    const double fraction = static_cast<double>(i + 1) / static_cast<double>(ramp);
    targets[i] = {Interpolate(present.world_from_tool, targets[ramp - 1].world_from_tool, fraction),
                  present.gripper_open};
  }
  targets_ = std::move(targets);
}

const ToolPose& PlanExecutor::TargetAt(int step) const {
  AIM_CHECK(has_plan() && step >= first_step_);
  return targets_[std::min(static_cast<size_t>(step - first_step_), targets_.size() - 1)];
}

MadePlan MakePlan(Policy& policy, const Clip& seen, const PlanRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  MadePlan made{.plan = policy.Act(seen, request)};
  made.plan_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  made.stages = policy.LastStages();
  if (made.stages.empty()) return made;
  // Without the wait for other workers' plans.
  made.plan_s = 0;
  for (const PlanStage& stage : made.stages) made.plan_s += stage.seconds;
  return made;
}

void BackgroundPlanner::Ask(Clip seen, const PlanRequest& request) {
  AIM_CHECK(!is_asked());
  plan_ = std::async(std::launch::async, [this, seen = std::move(seen), request] {
    return MakePlan(policy_, seen, request);
  });
}

bool BackgroundPlanner::IsReady() const {
  return is_asked() && plan_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace aim
