#include "aim/control/policy.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

void CheckPlan(const Plan& plan) {
  if (plan.frames.size() < 2) {
    throw InputError({.where = "plan",
                      .got = CountText(std::ssize(plan.frames), "frame") + " long",
                      .expected = "at least 2, the first of them the present pose",
                      .fix = ""});
  }
  if (!(plan.period_s > 0)) {
    throw InputError({.where = "plan.period_s",
                      .got = std::to_string(plan.period_s),
                      .expected = "a positive time between its frames",
                      .fix = ""});
  }
}

// A target that a controller may be given.
void CheckPose(const ToolPose& pose, size_t frame) {
  const Rigid3d& world_from_tool = pose.world_from_tool;
  const bool finite = world_from_tool.translation.allFinite() &&
                      world_from_tool.rotation.coeffs().allFinite() &&
                      std::isfinite(pose.gripper_open) && world_from_tool.rotation.norm() > 1e-8;
  if (!finite) {
    throw InputError({.where = "plan.frames[" + std::to_string(frame) + "]",
                      .got = "not a finite pose",
                      .expected = "finite numbers and a rotation of unit norm",
                      .fix = ""});
  }
}

ToolPose Between(const ToolPose& from, const ToolPose& to, double fraction) {
  return {Interpolate(from.world_from_tool, to.world_from_tool, fraction), from.gripper_open};
}

// The plan's poses after holding what is not to be trusted and ramping in from the present pose.
std::vector<ToolPose> TrustedPoses(const Plan& plan, const ToolPose& present,
                                   const ExecutionOptions& options) {
  std::vector<ToolPose> poses;
  poses.reserve(plan.frames.size());
  ToolPose last = present;
  for (size_t i = 0; i < plan.frames.size(); ++i) {
    const DecodedPose& frame = plan.frames[i];
    const bool known = frame.decodable || frame.from_prior;
    if (known && frame.confidence >= options.min_confidence) {
      CheckPose(frame.pose, i);
      last = frame.pose;
    }
    poses.push_back(last);
  }
  const size_t ramp = std::min<size_t>(static_cast<size_t>(options.ramp_frames), poses.size() - 1);
  for (size_t i = 0; i < ramp; ++i) {
    const double fraction = static_cast<double>(i) / static_cast<double>(ramp);
    poses[i] = Between(present, poses[ramp], fraction);
  }
  return poses;
}

}  // namespace

std::vector<Plan> Policy::ActTogether(const std::vector<Clip>& seen,
                                      const std::vector<PlanRequest>& requests) {
  std::vector<Plan> plans;
  for (size_t i = 0; i < seen.size(); ++i) plans.push_back(Act(seen[i], requests[i]));
  return plans;
}

ReplayPolicy::ReplayPolicy(std::vector<ToolPose> commands, double period_s)
    : commands_(std::move(commands)), period_s_(period_s) {
  AIM_CHECK(!commands_.empty());
}

void ReplayPolicy::Reset(uint64_t) {}

Plan ReplayPolicy::Act(const Clip&, const PlanRequest& request) {
  const size_t last = commands_.size() - 1;
  const size_t begin = std::min(static_cast<size_t>(request.frame), last);
  std::vector<ToolPose> poses(commands_.begin() + static_cast<std::ptrdiff_t>(begin),
                              commands_.end());
  if (poses.size() < 2) poses.push_back(commands_[last]);
  return PlanFromPoses(poses, period_s_);
}

StillPolicy::StillPolicy(int num_frames, double period_s)
    : num_frames_(num_frames), period_s_(period_s) {
  AIM_CHECK(num_frames >= 2);
}

void StillPolicy::Reset(uint64_t) { has_pose_ = false; }

Plan StillPolicy::Act(const Clip& seen, const PlanRequest&) {
  if (!has_pose_) pose_ = seen.poses.at(0);
  has_pose_ = true;
  return PlanFromPoses(std::vector<ToolPose>(static_cast<size_t>(num_frames_), pose_), period_s_);
}

Plan PlanFromPoses(const std::vector<ToolPose>& poses, double period_s) {
  Plan plan;
  plan.period_s = period_s;
  plan.frames.reserve(poses.size());
  for (const ToolPose& pose : poses) {
    DecodedPose frame;
    frame.pose = pose;
    frame.decodable = true;
    frame.confidence = 1;
    plan.frames.push_back(std::move(frame));
  }
  return plan;
}

std::vector<ToolPose> ExecutionTargets(const Plan& plan, const ToolPose& present, double period_s,
                                       const ExecutionOptions& options) {
  CheckPlan(plan);
  AIM_CHECK(period_s > 0);
  const std::vector<ToolPose> poses = TrustedPoses(plan, present, options);
  // Times within 1e-6 of a frame are that frame: equal periods must give the poses themselves.
  const double frames_per_target = period_s / plan.period_s;
  const double last = static_cast<double>(poses.size() - 1);
  std::vector<ToolPose> targets;
  for (int k = 1; options.horizon == 0 || k <= options.horizon; ++k) {
    const double time = k * frames_per_target;
    const bool ends = time >= last - 1e-6;
    const double nearest = std::round(time);
    if (ends) {
      targets.push_back(poses.back());
      break;
    }
    const double exact = std::abs(time - nearest) < 1e-6 ? nearest : time;
    const auto index = static_cast<size_t>(exact);
    const double fraction = exact - static_cast<double>(index);
    targets.push_back(fraction == 0 ? poses[index]
                                    : Between(poses[index], poses[index + 1], fraction));
  }
  return targets;
}

}  // namespace aim
