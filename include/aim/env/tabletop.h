// The embedded simulator.
#pragma once

#include <memory>

#include "aim/base/options.h"
#include "aim/control/env.h"

namespace aim {

// More of the world than the shipped model has seen.
struct TabletopOptions {
  int distractors = 0;
  bool more_colours = false;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("distractors", self.distractors, Range{0, 4},
          "of tabletop: at most so many things that a task has nothing to do with, on the table of "
          "each scene");
    visit("more_colours", self.more_colours, Any{},
          "of tabletop: twelve colours, and so variations, in place of six");
  }
};

// The embedded MuJoCo suite: a Franka Panda at a table, the tasks of docs/rollout.md; a variation
// is a colour. Its default tasks are those that the shipped model was trained for. World: origin at
// the robot's base, z = 0 the table's top, x away from the robot. The robot's model is read from
// franka_emika_panda beside MuJoCo's library (where aim is installed), else from the folder the
// build found; the environment variable AIM_PANDA_DIR overrides both. Draw and step from one thread
// at a time; any number of environments may live beside each other. Throws ConfigError if the
// robot's model or headless OpenGL is missing, or an option is out of range.
std::unique_ptr<Env> MakeTabletop(const EnvOptions& options, const TabletopOptions& world = {});

}  // namespace aim
