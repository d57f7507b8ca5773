// The embedded simulator.
#pragma once

#include <memory>

#include "aim/control/env.h"

namespace aim {

// The embedded MuJoCo suite: a Franka Panda at a table, the tasks of docs/rollout.md; a variation
// is a colour. Its default tasks are those that the shipped model was trained for. World: origin at
// the robot's base, z = 0 the table's top, x away from the robot. The robot's model is read from
// franka_emika_panda beside MuJoCo's library (where aim is installed), else from the folder the
// build found; the environment variable AIM_PANDA_DIR overrides both. Draw and step from one thread
// at a time; any number of environments may live beside each other. Throws ConfigError if the
// robot's model or headless OpenGL is missing, or an option is out of range.
std::unique_ptr<Env> MakeTabletop(const EnvOptions& options);

}  // namespace aim
