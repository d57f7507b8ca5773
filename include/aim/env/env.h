// A simulator (or robot) that a policy can act in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "aim/codec/clip.h"

namespace aim {

// What the robot sees and knows at one instant.
struct Observation {
  double time_s = 0;             // simulator clock since reset
  ToolPose tool;                 // measured, world frame
  std::vector<ClipView> views;   // one frame each
  int height = 0;
  int width = 0;
  std::string prompt;
};

// A scripted demonstration: everything a data set keeps of an episode.
struct Demonstration {
  Clip clip;                       // observed frames and the measured pose at each
  std::vector<ToolPose> commands;  // commanded pose of each frame; replaying them solves the task
  bool success = false;
};

struct StepResult {
  Observation observation;
  bool ik_failed = false;    // the target was not reachable; the arm held its pose
};

struct EnvOptions {
  int image_size = 64;      // square pictures, pixels
  double frame_period_s = 0.12;  // time from one pose target to the next
  bool full_look = false;   // visual meshes, shadows and antialiasing, for report videos
};

class Env {
 public:
  virtual ~Env() = default;
  virtual std::vector<std::string> Tasks() const = 0;
  virtual int NumVariations(const std::string& task) const = 0;

  // Deterministic in (task, variation, seed), bit for bit. Throws ConfigError for an unknown task.
  virtual Observation Reset(const std::string& task, int variation, uint64_t seed) = 0;

  // Moves the tool to `target` (world frame) over one frame period.
  virtual StepResult Step(const ToolPose& target) = 0;

  // Has the task's success condition held (judged from the simulator's state alone)?
  virtual bool Success() const = 0;

  // Resets and runs the scripted expert. `max_frames` 0 = until it is done.
  virtual Demonstration Demo(const std::string& task, int variation, uint64_t seed) = 0;

  // A picture of the present state for a report: `view` as in the observation, any size, the full
  // look. RGB [H, W, 3].
  virtual std::vector<uint8_t> RenderReport(int view, int size) = 0;
};

// The embedded MuJoCo suite. `panda_dir` holds the Franka Panda's model; empty = found beside the
// build's Python environment (AIM_PANDA_DIR overrides).
std::unique_ptr<Env> MakeTabletop(const EnvOptions& options);

}  // namespace aim
