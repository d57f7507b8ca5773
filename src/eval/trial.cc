#include "aim/eval/trial.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "aim/base/error.h"
#include "aim/control/plan_executor.h"
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
      : env_(env),
        policy_(policy),
        imagination_(env.AsImagination()),
        rules_(rules),
        executor_(rules.execution, rules.period_s),
        planner_(policy) {}

  TrialResult Play(const TrialSpec& spec, uint64_t policy_seed) {
    policy_seed_ = policy_seed;
    observation_ = env_.Reset(spec.task, spec.variation, spec.seed);
    start_s_ = observation_.time_s;
    last_target_ = observation_.tool();
    result_.prompt = observation_.clip.prompt;
    result_.first_frame_hash = HashPictures(observation_);
    policy_.Reset(policy_seed);
    result_.termination = rules_.execution.horizon == 0 ? PlayWholePlan() : PlayWithReplanning();
    result_.success = env_.Success();
    if (result_.success) result_.termination = Termination::kSuccess;
    if (imagination_ != nullptr) TakeImagined();
    Summarize();
    return std::move(result_);
  }

 private:
  Termination PlayWholePlan() {
    AIM_CHECK(rules_.plan_delay_steps == 0);
    Ask();
    Deliver();
    while (result_.env_steps < executor_.end_step()) {
      if (!Step(executor_.TargetAt(result_.env_steps))) return Termination::kIkFailures;
    }
    const ToolPose final_target = executor_.TargetAt(result_.env_steps);
    for (int i = 0; i < rules_.hold_env_steps && !env_.Success(); ++i) {
      if (!Step(final_target)) return Termination::kIkFailures;
    }
    return Termination::kPlanEnd;
  }

  Termination PlayWithReplanning() {
    const int budget =
        std::max(rules_.max_env_steps, rules_.execution.horizon + rules_.plan_delay_steps);
    while (result_.env_steps < budget && !IsTimeOver()) {
      if (IsPlanDue()) Deliver();
      if (!is_asked_ && result_.env_steps >= next_request_) Ask();
      if (IsPlanDue()) Deliver();
      const ToolPose target =
          executor_.has_plan() ? executor_.TargetAt(result_.env_steps) : last_target_;
      if (!Step(target)) return Termination::kIkFailures;
      if (env_.Success()) return Termination::kSuccess;
    }
    return Termination::kTimeout;
  }

  bool IsTimeOver() const {
    return rules_.max_time_s > 0 &&
           observation_.time_s - start_s_ >= rules_.max_time_s - 1e-3 * rules_.period_s;
  }

  // A plan that takes no time is made at once; one that takes steps, while they are made.
  void Ask() {
    request_ = {.seed = policy_seed_, .replan = num_asked_, .frame = result_.env_steps};
    ++num_asked_;
    is_asked_ = true;
    if (imagination_ != nullptr) Timed([&] { imagination_->Look(observation_); });
    if (rules_.plan_delay_steps > 0) {
      planner_.Ask(observation_.clip, request_);
    }
  }

  bool IsPlanDue() const {
    return is_asked_ && result_.env_steps >= request_.frame + rules_.plan_delay_steps;
  }

  // While the first plan is made nothing moves: its frame 0 is the present one, however late.
  void Deliver() {
    is_asked_ = false;
    MadePlan made =
        planner_.is_asked() ? planner_.Take() : MakePlan(policy_, observation_.clip, request_);
    result_.plan_s += made.plan_s;
    for (const PlanStage& stage : made.stages) result_.stages_s[stage.name] += stage.seconds;
    const int now = result_.env_steps;
    const int first_step = executor_.has_plan() ? request_.frame : now;
    executor_.Take(made.plan, first_step, now, observation_.tool());
    next_request_ = std::min(request_.frame + rules_.execution.horizon, executor_.end_step());
    seen_step_ = request_.frame;
    result_.plans.push_back({first_step, now, std::move(made.plan)});
  }

  // False when too many targets in a row were out of reach.
  bool Step(const ToolPose& wanted) {
    const LimitedTarget limited = LimitTarget(rules_.limits, last_target_, wanted, rules_.period_s);
    result_.limited_by_workspace += limited.by_workspace;
    result_.limited_by_speed += limited.by_speed;
    const ToolPose& target = limited.pose;
    if (executor_.has_plan()) stale_steps_.push_back(result_.env_steps - seen_step_);
    StepResult step;
    Timed([&] { step = env_.Step(target); });
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

  // Work of the environment.
  template <class Function>
  void Timed(Function&& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    step_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  void TakeImagined() {
    Timed([&] { result_.imagined = imagination_->Trial(); });
    const ImaginedTrial& trial = *result_.imagined;
    for (size_t frame = 1; frame < trial.labels.size(); ++frame) {
      const DecodedPose& label = trial.labels[frame];
      ImaginedStep& step = result_.labelled.emplace_back();
      if (!label.decodable) continue;
      const PoseDifference off = Difference(label.pose, trial.clip.poses[frame]);
      step = {.confidence = label.confidence,
              .off_mm = off.position_mm(),
              .off_deg = off.rotation_deg()};
    }
  }

  void Summarize() {
    if (result_.plans.empty()) Deliver();  // the trial ended before its first plan came
    result_.sim_s = observation_.time_s - start_s_;
    result_.stale_steps = stale_steps_.empty() ? 0 : Mean(stale_steps_);
    result_.step_s = result_.env_steps == 0 ? 0 : step_s_ / result_.env_steps;
    result_.replans = static_cast<int>(result_.plans.size()) - 1;
    const auto num_plans = static_cast<double>(result_.plans.size());
    result_.plan_s /= num_plans;
    for (auto& [stage, seconds] : result_.stages_s) seconds /= num_plans;
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
  Imagination* imagination_;  // null: the environment simulates
  const TrialRules& rules_;
  Observation observation_;
  ToolPose last_target_;
  TrialResult result_;
  PlanExecutor executor_;
  BackgroundPlanner planner_;
  PlanRequest request_;  // of the plan under way, or the last one
  bool is_asked_ = false;
  int num_asked_ = 0;
  int next_request_ = 0;  // step
  int seen_step_ = 0;     // of the plan in force
  double start_s_ = 0;    // simulator clock
  double step_s_ = 0;     // wall time
  std::vector<double> errors_mm_;
  std::vector<double> stale_steps_;
  uint64_t policy_seed_ = 0;
  int ik_streak_ = 0;
};

}  // namespace

TrialResult PlayTrial(Env& env, Policy& policy, const TrialSpec& spec, uint64_t policy_seed,
                      const TrialRules& rules) {
  AIM_CHECK(rules.hold_env_steps >= 0 && rules.max_ik_failures > 0);
  return TrialPlayer(env, policy, rules).Play(spec, policy_seed);
}

namespace {

// [confidence, mm, degrees]; the last two are null where no pose can be told.
nlohmann::json StepsJson(const std::vector<ImaginedStep>& steps) {
  const auto or_null = [](const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
  };
  nlohmann::json json = nlohmann::json::array();
  for (const ImaginedStep& step : steps) {
    json.push_back({step.confidence, or_null(step.off_mm), or_null(step.off_deg)});
  }
  return json;
}

std::vector<ImaginedStep> StepsFromJson(const nlohmann::json& json) {
  const auto if_told = [](const nlohmann::json& value) {
    return value.is_null() ? std::nullopt : std::optional(value.get<double>());
  };
  std::vector<ImaginedStep> steps;
  for (const nlohmann::json& step : json) {
    steps.push_back({.confidence = step.at(0).get<double>(),
                     .off_mm = if_told(step.at(1)),
                     .off_deg = if_told(step.at(2))});
  }
  return steps;
}

}  // namespace

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
          {"stages_s", result.stages_s},
          {"step_s", result.step_s},
          {"sim_s", result.sim_s},
          {"stale_steps", result.stale_steps},
          {"limited_by_workspace", result.limited_by_workspace},
          {"limited_by_speed", result.limited_by_speed},
          {"targets", std::move(targets)},
          {"labelled", StepsJson(result.labelled)}};
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
    json.at("stages_s").get_to(result.stages_s);
    json.at("step_s").get_to(result.step_s);
    json.at("sim_s").get_to(result.sim_s);
    json.at("stale_steps").get_to(result.stale_steps);
    json.at("limited_by_workspace").get_to(result.limited_by_workspace);
    json.at("limited_by_speed").get_to(result.limited_by_speed);
    for (const nlohmann::json& target : json.at("targets")) {
      result.targets.push_back(
          ToolPoseFromNumbers(target.get<std::vector<double>>(), where + ": targets"));
    }
    result.labelled = StepsFromJson(json.at("labelled"));
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
