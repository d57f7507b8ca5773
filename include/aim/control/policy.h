// What decides how the robot moves: an observation in, a plan out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aim/codec/clip.h"
#include "aim/codec/plan.h"

namespace aim {

// What a plan is asked for, beside what is seen.
struct PlanRequest {
  uint64_t seed = 0;  // of the sampling noise of this trial; the same at every replan
  int replan = 0;     // plans made before this one in the trial
  int frame = 0;      // frame periods since the trial began
};

// What a policy was made for; zeros mean that it takes anything.
struct PolicyNeeds {
  int image_size = 0;         // square pictures, pixels
  double frame_period_s = 0;  // time between two poses of its plans
  int num_views = 0;          // cameras
  int num_frames = 0;         // of its plans, frame 0 included
};

// A part of the wall time that a plan took.
struct PlanStage {
  std::string name;
  double seconds = 0;
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual PolicyNeeds Needs() const { return {}; }
  // What tells it from others where the options of a run do not: of a policy behind a server its
  // name and content. A run goes on with the same alone.
  virtual std::string Identity() const { return ""; }

  // Begins a trial. The same seed and the same inputs give the same plans, bit for bit.
  virtual void Reset(uint64_t seed) = 0;

  // Plans from what is seen now: `seen` has one frame a view and poses = {the measured tool}. No
  // simulator type: the same input comes over the wire. Frame 0 is the present pose; at least two
  // frames.
  virtual Plan Act(const Clip& seen, const PlanRequest& request) = 0;

  // Several at once, each of a trial of its own, for policies that are faster so. A plan may differ
  // from that of Act in the last bits of its numbers.
  virtual std::vector<Plan> ActTogether(const std::vector<Clip>& seen,
                                        const std::vector<PlanRequest>& requests);

  // Where the time of the last plan went, if the policy tells; in order.
  virtual std::vector<PlanStage> LastStages() const { return {}; }
};

// Gives the commands of a recorded demonstration, from the present frame on: with the scene's own
// demonstration the gate of an evaluation, with another scene's its null policy. Holds the last
// command when they have run out.
class ReplayPolicy : public Policy {
 public:
  // `commands` are one a frame and not empty; the first belongs to the state before any motion.
  ReplayPolicy(std::vector<ToolPose> commands, double period_s);
  PolicyNeeds Needs() const override { return {.frame_period_s = period_s_}; }
  void Reset(uint64_t seed) override;
  Plan Act(const Clip& seen, const PlanRequest& request) override;

 private:
  std::vector<ToolPose> commands_;
  double period_s_;
};

// Keeps the tool and the gripper as they were when it was first asked.
class StillPolicy : public Policy {
 public:
  StillPolicy(int num_frames, double period_s);
  void Reset(uint64_t seed) override;
  Plan Act(const Clip& seen, const PlanRequest& request) override;

 private:
  int num_frames_;
  double period_s_;
  bool has_pose_ = false;
  ToolPose pose_;
};

// The plan that follows `poses` with full confidence.
Plan PlanFromPoses(const std::vector<ToolPose>& poses, double period_s);

// How a plan becomes pose targets.
struct ExecutionOptions {
  int horizon = 0;            // frames to execute before looking again; 0 = the whole plan
  int ramp_frames = 0;        // leading frames replaced by a ramp from the present pose
  double min_confidence = 0;  // frames below it repeat the last target
};

// Pose targets, one every `period_s`, for the next `horizon` periods of `plan` (all of it for 0).
// Between the plan's frames positions are linear, rotations SLERP and the gripper steps. Frames
// that are neither decodable nor filled in, or below min_confidence, keep the target before them
// (`present` at the start). Throws InputError if a pose is not finite or the plan has less than
// two frames.
std::vector<ToolPose> ExecutionTargets(const Plan& plan, const ToolPose& present, double period_s,
                                       const ExecutionOptions& options = {});

}  // namespace aim
