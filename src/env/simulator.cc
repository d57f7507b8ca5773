#include "aim/env/simulator.h"

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/env/child_env.h"

namespace aim {

std::string EnvHelp() {
  std::vector<std::string> children = ChildNames();
  children.emplace_back("the path of a script.py");
  return "simulator: tabletop; in a process of its own: " + Join(children) +
         "; in aim-rollout also model, which imagines";
}

void RequireOwnOptions(const SimulatorOptions& simulator) {
  const TabletopOptions& world = simulator.tabletop;
  if (simulator.env == "tabletop" || (world.distractors == 0 && !world.more_colours)) return;
  throw ConfigError({.where = world.more_colours ? "--more-colours" : "--distractors",
                     .got = "given with --env " + simulator.env,
                     .expected = "--env tabletop: the embedded simulator alone has it",
                     .fix = ""});
}

std::unique_ptr<Env> MakeSimulator(const SimulatorOptions& simulator, const EnvOptions& options) {
  if (simulator.env == kImaginedEnv) {
    throw ConfigError({.where = "--env",
                       .got = "model",
                       .expected = "a simulator: what a model imagines is for aim-rollout alone",
                       .fix = ""});
  }
  if (simulator.env == "tabletop") return MakeTabletop(options, simulator.tabletop);
  RequireOwnOptions(simulator);
  ChildOptions child = ChildOfName(simulator.env, simulator.env_python);
  child.reply_timeout_s = simulator.env_timeout_s;
  return StartChildEnv(child, options);
}

}  // namespace aim
