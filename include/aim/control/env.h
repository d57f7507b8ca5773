// A simulator (or robot) that a policy can act in.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "aim/base/words.h"
#include "aim/codec/clip.h"
#include "aim/codec/plan.h"
#include "aim/control/camera_wish.h"

namespace aim {

// What the robot sees and knows at one instant.
struct Observation {
  double time_s = 0;  // simulator clock since reset
  Clip clip;          // one frame of each view; poses = {the measured tool, world frame}

  const ToolPose& tool() const { return clip.poses.front(); }
};

// A scripted demonstration: everything a data set keeps of an episode.
struct Demonstration {
  Clip clip;  // observed frames and the measured pose at each
  std::vector<ToolPose>
      commands;  // one a frame, the first the start; Step with the others solves it
  bool success = false;
};

// What became of a pose target. All but kMoved leave the arm where it was.
enum class StepOutcome { kMoved, kIkFailure, kPlanningFailure, kInvalidAction, kBoundary };
constexpr auto WordsOf(StepOutcome) {
  using enum StepOutcome;
  return WordTable<StepOutcome, 5>{{{kMoved, "moved"},
                                    {kIkFailure, "ik_failure"},
                                    {kPlanningFailure, "planning_failure"},
                                    {kInvalidAction, "invalid_action"},
                                    {kBoundary, "boundary"}}};
}

struct StepResult {
  Observation observation;
  StepOutcome outcome = StepOutcome::kMoved;

  bool is_refused() const { return outcome != StepOutcome::kMoved; }
};

struct EnvOptions {
  int image_size = 64;           // square pictures, pixels
  double frame_period_s = 0.12;  // time from one pose target to the next
  double camera_raise_deg = 0;   // the cameras look down by so much more than usual; [-25, 25]
  bool full_look = false;        // visual meshes, shadows and antialiasing, for report videos
};

// What a simulator is, beside the options of a run: trials of two identities are two experiments.
struct EnvIdentity {
  std::string simulator;  // name and version
  // What was chosen of it, by the name that it is chosen by (an environment variable), and
  // fingerprints of what it was made of.
  std::map<std::string, std::string> settings;
};
// As settings of a run: {"simulator": ..., NAME: ..., ...}.
nlohmann::json ToJson(const EnvIdentity& identity);

// What was imagined in a trial.
struct ImaginedTrial {
  Clip clip;  // every frame since the reset, frame 0 the true one; poses = the commands
  // The poses that a model which labels videos sees in each frame; empty if it was not asked.
  std::vector<DecodedPose> labels;
};

// The other face of an environment without a world: its pictures are what a model imagines after
// the targets. The tool is where it was told to be, and nobody knows whether a task was solved.
class Imagination {
 public:
  virtual ~Imagination() = default;
  // Many frames are imagined at once, so that a step leaves the pictures out of its observation.
  // Puts those of now into the last one.
  virtual void Look(Observation& seen) = 0;
  // Since the reset.
  virtual ImaginedTrial Trial() = 0;
};

class Env {
 public:
  virtual ~Env() = default;
  virtual EnvIdentity Identity() const = 0;
  virtual Imagination* AsImagination() { return nullptr; }  // null: it simulates

  virtual std::vector<std::string> Tasks() const = 0;
  // What is played and demonstrated where no task is named.
  virtual std::vector<std::string> DefaultTasks() const { return Tasks(); }
  virtual int NumVariations(const std::string& task) const = 0;

  // Deterministic in (task, variation, seed), bit for bit. Throws ConfigError for an unknown task
  // or variation.
  virtual Observation Reset(const std::string& task, int variation, uint64_t seed) = 0;

  // Moves the tool to `target` (world frame) over one frame period: position linear, rotation by
  // SLERP, from the last target. The gripper opens if gripper_open > 0.5 and closes if not. Throws
  // InputError if the pose is not finite or its quaternion not unit (within 1e-3).
  virtual StepResult Step(const ToolPose& target) = 0;

  // Has the task's success condition held at the end of any frame since the reset? Judged from the
  // simulator's state alone.
  virtual bool Success() const = 0;

  // Resets and runs the scripted expert until it has held the goal for some frames.
  virtual Demonstration Demo(const std::string& task, int variation, uint64_t seed) = 0;

  // As Demo without simulating: one frame a view, clip.poses = commands (the measured poses differ
  // by the tracking error), success = false.
  virtual Demonstration Plan(const std::string& task, int variation, uint64_t seed) = 0;

  // Frames that a trial of a task without a scripted expert may take; 0 where there is one. Demo
  // and Plan throw ConfigError without one.
  virtual int FramesWithoutExpert(const std::string& task) const {
    static_cast<void>(task);
    return 0;
  }

  // Where the cameras stand from the next reset on. Throws ConfigError if they cannot stand there.
  virtual void PlaceCameras(const CameraWish& wish) = 0;

  // A picture of the present state for a report: `view` as in the observation, any size, the full
  // look. RGB [size, size, 3].
  virtual std::vector<uint8_t> RenderReport(int view, int size) = 0;
};

}  // namespace aim
