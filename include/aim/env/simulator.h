// Which simulator: the embedded one, or one in a process of its own.
#pragma once

#include <memory>
#include <string>

#include "aim/base/options.h"
#include "aim/control/env.h"
#include "aim/env/tabletop.h"

namespace aim {

// --env of no simulator: a model imagines what is seen (aim/policy/model_env.h).
inline constexpr const char* kImaginedEnv = "model";

// For --help: which simulators there are.
std::string EnvHelp();

struct SimulatorOptions {
  std::string env = "tabletop";
  std::string env_python = {};
  double env_timeout_s = 120;
  TabletopOptions tabletop = {};

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("env", self.env, Any{}, EnvHelp());
    visit("env_python", self.env_python, Any{},
          "Python that has the simulator; none = that of .venv-<env>, else python3");
    visit("env_timeout_s", self.env_timeout_s, Range{1, 86400},
          "seconds after which such a simulator counts as stuck and is started again");
    TabletopOptions::ForEachField(self.tabletop, visit);
  }
};

// Throws ConfigError for options of the embedded simulator where `env` is another.
void RequireOwnOptions(const SimulatorOptions& simulator);

// Throws ConfigError for kImaginedEnv and for options of another simulator, and what MakeTabletop,
// ChildOfName and StartChildEnv throw.
std::unique_ptr<Env> MakeSimulator(const SimulatorOptions& simulator, const EnvOptions& options);

}  // namespace aim
