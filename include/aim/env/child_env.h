// Simulators in processes of their own: a Python script for each, in scripts/env.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aim/control/env.h"

namespace aim {

struct ChildOptions {
  std::string name;                  // of the simulator, in messages
  std::vector<std::string> command;  // "--fd N" is put behind it
  double start_timeout_s = 600;      // to import and open the simulator
  double reply_timeout_s = 120;      // of everything else
};

// Starts the script and opens the simulator. A child that ends, does not answer in time or breaks
// the protocol is ended: the call throws IoError, and the next reset, demonstration or plan starts
// another one. Throws ConfigError if the program cannot be started, speaks another version, cannot
// do what the options ask, or shows its gripper elsewhere than its calibration says.
std::unique_ptr<Env> StartChildEnv(const ChildOptions& child, const EnvOptions& options);

// The command for "robosuite" (scripts/env/robosuite_env.py), or for the path of a script. `python`
// runs it; where it is empty that of .venv-<name> beside the scripts' folder or the one above it,
// if there is one, else python3. An installed tool has the scripts in its share/aim; AIM_ENV_DIR
// overrides where they are. Throws ConfigError listing those there are.
ChildOptions ChildOfName(const std::string& name, const std::string& python);

// "robosuite" and so on: of the scripts there are.
std::vector<std::string> ChildNames();

}  // namespace aim
