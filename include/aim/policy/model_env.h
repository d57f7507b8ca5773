// A model's own mode a2v as an environment: its pictures are what the model imagines after the
// pose targets. For looking at policies where no simulator is; whether a task was solved is
// unknown.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aim/control/env.h"
#include "aim/policy/shared_model.h"
#include "aim/recipe/imagination_options.h"

namespace aim {

// Where a trial begins.
struct ImaginedScene {
  Clip first;                      // one frame a view at the model's size; poses = {the tool}
  std::vector<ToolPose> commands;  // recorded from there on, one a frame of the model, the first
                                   // before any motion; empty: not known
};

// The scenes of each task; a variation is one of them.
struct SceneSet {
  struct Task {
    std::string name;
    int num_scenes = 0;
    bool has_commands = false;  // of all its scenes
  };
  std::vector<Task> tasks;
  std::string content;  // changes when any scene does
  // Thread-safe. Throws InputError.
  std::function<ImaginedScene(size_t task, int scene)> read;
};

// One such environment of `model`. A trial's seed is that of the sampling noise alone. Steps move
// the tool to the target at once; what is seen is imagined when it is looked at, or after as many
// frames as the model has, from the last picture on. Cameras stay where they are in the first
// frame. Throws ConfigError for a mode that the model was not trained for, and options that are not
// the model's: its picture size and frame period, cameras as they are.
std::unique_ptr<Env> MakeModelEnv(const ImaginationOptions& imagination, const EnvOptions& options,
                                  const std::shared_ptr<SharedModel>& model,
                                  std::shared_ptr<const SceneSet> scenes);

}  // namespace aim
