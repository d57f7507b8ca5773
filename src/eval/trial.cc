#include "aim/eval/trial.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "aim/base/error.h"
#include "aim/metrics/statistics.h"

namespace aim {
namespace {

uint64_t HashPictures(const Observation& observation) {
  uint64_t hash = 0;
  for (const ClipView& view : observation.clip.views) {
    hash = StableHash({reinterpret_cast<const char*>(view.rgb.data()), view.rgb.size()}, hash);
  }
  return hash;
}

// The state of one trial while it is played.
class TrialPlayer {
 public:
  TrialPlayer(Env& env, Policy& policy, const TrialRules& rules)
      : env_(env), policy_(policy), rules_(rules) {}

  TrialResult Play(const TrialSpec& spec, uint64_t policy_seed) {
    policy_seed_ = policy_seed;
    observation_ = env_.Reset(spec.task, spec.variation, spec.seed);
    last_target_ = observation_.tool();
    result_.prompt = observation_.clip.prompt;
    result_.first_frame_hash = HashPictures(observation_);
    policy_.Reset(policy_seed);
    result_.termination = rules_.execution.horizon == 0 ? PlayWholePlan() : PlayWithReplanning();
    result_.success = env_.Success();
    if (result_.success) result_.termination = Termination::kSuccess;
    Summarize();
    return std::move(result_);
  }

 private:
  Termination PlayWholePlan() {
    const std::vector<ToolPose> targets = NextTargets();
    const int needed = static_cast<int>(targets.size()) + rules_.hold_env_steps;
    budget_ = std::max(rules_.max_env_steps, needed);
    for (const ToolPose& target : targets) {
      if (!Step(target)) return Termination::kIkFailures;
    }
    const ToolPose final_target = last_target_;
    for (int i = 0; i < rules_.hold_env_steps && !env_.Success(); ++i) {
      if (!Step(final_target)) return Termination::kIkFailures;
    }
    return Termination::kPlanEnd;
  }

  Termination PlayWithReplanning() {
    budget_ = std::max(rules_.max_env_steps, rules_.execution.horizon);
    while (result_.env_steps < budget_) {
      for (const ToolPose& target : NextTargets()) {
        if (result_.env_steps == budget_) break;
        if (!Step(target)) return Termination::kIkFailures;
        if (env_.Success()) return Termination::kSuccess;
      }
    }
    return Termination::kTimeout;
  }

  std::vector<ToolPose> NextTargets() {
    const PlanRequest request{.seed = policy_seed_,
                              .replan = static_cast<int>(result_.plans.size()),
                              .frame = result_.env_steps};
    const auto begin = std::chrono::steady_clock::now();
    Plan plan = policy_.Act(observation_.clip, request);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    result_.plan_s += elapsed.count();
    std::vector<ToolPose> targets =
        ExecutionTargets(plan, observation_.tool(), rules_.period_s, rules_.execution);
    result_.plans.push_back({result_.env_steps, std::move(plan)});
    return targets;
  }

  // False when too many targets in a row were out of reach.
  bool Step(const ToolPose& target) {
    StepResult step = env_.Step(target);
    observation_ = std::move(step.observation);
    ++result_.env_steps;
    result_.targets.push_back(target);
    last_target_ = target;
    if (step.is_refused()) {
      ++result_.ik_failures;
      ++result_.refusals[step.outcome];
      return ++ik_streak_ < rules_.max_ik_failures;
    }
    ik_streak_ = 0;
    errors_mm_.push_back(Difference(target, observation_.tool()).position_mm());
    return true;
  }

  void Summarize() {
    result_.replans = static_cast<int>(result_.plans.size()) - 1;
    result_.plan_s /= static_cast<double>(result_.plans.size());
    result_.tracking_mm = errors_mm_.empty() ? 0 : Median(errors_mm_);
    result_.final_error_mm = Difference(last_target_, observation_.tool()).position_mm();
    std::vector<double> confidences;
    int undecodable = 0;
    for (const TimedPlan& timed : result_.plans) {
      for (const DecodedPose& frame : timed.plan.frames) {
        confidences.push_back(frame.confidence);
        undecodable += !frame.decodable;
      }
    }
    result_.confidence_mean = Mean(confidences);
    result_.confidence_min = *std::min_element(confidences.begin(), confidences.end());
    result_.undecodable = undecodable / static_cast<double>(confidences.size());
  }

  Env& env_;
  Policy& policy_;
  const TrialRules& rules_;
  Observation observation_;
  ToolPose last_target_;
  TrialResult result_;
  std::vector<double> errors_mm_;
  uint64_t policy_seed_ = 0;
  int budget_ = 0;
  int ik_streak_ = 0;
};

}  // namespace

TrialResult PlayTrial(Env& env, Policy& policy, const TrialSpec& spec, uint64_t policy_seed,
                      const TrialRules& rules) {
  AIM_CHECK(rules.hold_env_steps >= 0 && rules.max_ik_failures > 0);
  return TrialPlayer(env, policy, rules).Play(spec, policy_seed);
}

nlohmann::json ToJson(const TrialResult& result) {
  nlohmann::json refusals = nlohmann::json::object();
  for (const auto& [outcome, count] : result.refusals) refusals[ToWord(outcome)] = count;
  nlohmann::json targets = nlohmann::json::array();
  for (const ToolPose& target : result.targets) targets.push_back(ToNumbers(target));
  return {{"success", result.success},
          {"env_steps", result.env_steps},
          {"replans", result.replans},
          {"ik_failures", result.ik_failures},
          {"refusals", std::move(refusals)},
          {"termination", ToWord(result.termination)},
          {"error", result.error},
          {"prompt", result.prompt},
          {"first_frame_hash", result.first_frame_hash},
          {"tracking_mm", result.tracking_mm},
          {"final_error_mm", result.final_error_mm},
          {"confidence_mean", result.confidence_mean},
          {"confidence_min", result.confidence_min},
          {"undecodable", result.undecodable},
          {"plan_s", result.plan_s},
          {"targets", std::move(targets)}};
}

TrialResult TrialResultFromJson(const nlohmann::json& json, const std::string& where) {
  try {
    TrialResult result;
    json.at("success").get_to(result.success);
    json.at("env_steps").get_to(result.env_steps);
    json.at("replans").get_to(result.replans);
    json.at("ik_failures").get_to(result.ik_failures);
    for (const auto& [word, count] : json.at("refusals").items()) {
      result.refusals[FromWord<StepOutcome>(word, where + ": refusals")] = count.get<int>();
    }
    json.at("error").get_to(result.error);
    json.at("prompt").get_to(result.prompt);
    json.at("first_frame_hash").get_to(result.first_frame_hash);
    json.at("tracking_mm").get_to(result.tracking_mm);
    json.at("final_error_mm").get_to(result.final_error_mm);
    json.at("confidence_mean").get_to(result.confidence_mean);
    json.at("confidence_min").get_to(result.confidence_min);
    json.at("undecodable").get_to(result.undecodable);
    json.at("plan_s").get_to(result.plan_s);
    for (const nlohmann::json& target : json.at("targets")) {
      result.targets.push_back(
          ToolPoseFromNumbers(target.get<std::vector<double>>(), where + ": targets"));
    }
    result.termination =
        FromWord<Termination>(json.at("termination").get<std::string>(), where + ": termination");
    return result;
  } catch (const nlohmann::json::exception& error) {
    throw FormatError({.where = where,
                       .got = std::string("not a trial (") + error.what() + ")",
                       .expected = "what a rollout wrote",
                       .fix = "start over with --overwrite"});
  }
}

}  // namespace aim
