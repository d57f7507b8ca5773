// One trial of a policy in an environment, and the rules it is played by.
// docs/reference/formats.md 6.1.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/words.h"
#include "aim/control/env.h"
#include "aim/control/motion_limits.h"
#include "aim/control/policy.h"

namespace aim {

// Which scene: an environment makes the same one for the same values.
struct TrialSpec {
  std::string task = {};
  int variation = 0;
  uint64_t seed = 0;
  std::string cameras = kUsualCameras;  // as --cameras has them
};

// The same for every policy that is compared.
struct TrialRules {
  ExecutionOptions execution;  // horizon 0: one plan, executed whole
  double period_s = 0.12;      // of one env step
  int max_env_steps = 0;       // budget; a whole plan and its hold always fit
  double max_time_s = 0;       // the same on the simulator's clock, whichever ends first; 0 = none
  int hold_env_steps = 8;      // final pose held after a whole plan, before success is judged
  int max_ik_failures = 5;     // in a row; then the trial ends
  int plan_delay_steps = 0;    // a plan comes so many env steps after it was asked for
  MotionLimits limits;
};

enum class Termination { kSuccess, kPlanEnd, kTimeout, kIkFailures, kInvalid };
constexpr auto WordsOf(Termination) {
  using enum Termination;
  return WordTable<Termination, 5>{{{kSuccess, "success"},
                                    {kPlanEnd, "plan_end"},
                                    {kTimeout, "timeout"},
                                    {kIkFailures, "ik_failures"},
                                    {kInvalid, "invalid"}}};
}

// What a model that labels videos sees in what was imagined after a step.
struct ImaginedStep {
  double confidence = 0;         // [0, 1]; 0 where no pose can be told
  std::optional<double> off_mm;  // its tip from the commanded one; none where no pose can be told
  std::optional<double> off_deg;
};

// A plan and its place among the env steps.
struct TimedPlan {
  int first_env_step = 0;  // of its frame 0
  int begin_env_step = 0;  // from which it is in force
  Plan plan;
};

struct TrialResult {
  bool success = false;
  int env_steps = 0;
  int replans = 0;                           // plans after the first
  int ik_failures = 0;                       // targets that were refused, in all
  std::map<StepOutcome, int> refusals = {};  // the same by their reason
  Termination termination = Termination::kInvalid;
  std::string error;  // what went wrong, for an invalid trial
  std::string prompt;
  uint64_t first_frame_hash = 0;  // of the first pictures: compared policies saw the same scene
  double tracking_mm = 0;         // median distance of the reached tip from its target
  double final_error_mm = 0;      // the same at the last step, after the hold
  double confidence_mean = 0;     // over the frames of all plans
  double confidence_min = 0;
  double undecodable = 0;                       // fraction of planned frames
  double plan_s = 0;                            // time of a plan, mean; not reproducible
  std::map<std::string, double> stages_s = {};  // its parts, as far as the policy tells
  double step_s = 0;                            // the same of an env step: executing and observing
  double sim_s = 0;                             // simulator time
  double stale_steps = 0;                       // age of what a target was planned from, mean
  int limited_by_workspace = 0;                 // targets that the limits changed
  int limited_by_speed = 0;
  std::vector<ToolPose> targets;  // one an env step
  std::vector<TimedPlan> plans;
  std::vector<ImaginedStep> labelled;     // one an env step, where a model imagined and labelled
  std::optional<ImaginedTrial> imagined;  // where a model imagined
};

// Plays one trial. Where the environment imagines, success stays false: nobody knows.
// Deterministic if env and policy are; wall times aside. With a horizon the
// policy is asked again after each `horizon` steps and success ends the trial; without one its
// plan is executed to the end, the last target held, and success judged then. With a horizon a plan
// may come late: until then the one before it is executed, or, before the first, the start is held;
// the policy plans on another thread meanwhile. An unreachable
// target is skipped and counted. Errors of env and policy pass through.
TrialResult PlayTrial(Env& env, Policy& policy, const TrialSpec& spec, uint64_t policy_seed,
                      const TrialRules& rules);

// Everything but the plans and the imagined pictures.
nlohmann::json ToJson(const TrialResult& result);
// Throws FormatError naming `where`.
TrialResult TrialResultFromJson(const nlohmann::json& json, const std::string& where);

}  // namespace aim
