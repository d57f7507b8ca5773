// The subcommands of a tool, each from the file that was linked for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/control/env.h"
#include "aim/control/policy.h"
#include "tools/cli/cli.h"

namespace aim {
class SharedModel;
struct RolloutOptions;
}  // namespace aim

namespace aim::cli {

struct Command {
  CLI::App* app = nullptr;
  std::function<void(RunContext&)> run;  // owns its options
};
using Commands = std::vector<Command>;

struct CommandText {
  std::string name;
  std::string help;
  std::string footer;
  std::vector<std::string> required = {};  // keys of the flags that it cannot do without
};

// A subcommand with the flags of Options; `run` is called with them.
template <class Options, class Run>
Command AddCommand(CLI::App& app, const CommandText& text, Run run,
                   const std::vector<std::string>& positionals = {}) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(text.name, text.help);
  command->footer(text.footer);
  AddFlags(*command, *options, positionals);
  ShowAsRequired(*command, text.required);
  return {command, [options, run](RunContext& context) { run(*options, context); }};
}

// What one tool of a full build has; in a core build a line of --help that says what is missing.
void AddMeasurements(CLI::App& app, Commands& commands);    // aim-model: evaluate, drift
void AddLayoutCommands(CLI::App& app, Commands& commands);  // aim-data: inspect and those below
void AddSetCommands(CLI::App& app, Commands& commands);     // validate, merge, split, view
void AddCompareCommand(CLI::App& app, Commands& commands);  // aim-data: compare

// Connects aim-rollout to a policy server; empty in a core build. The file may be "": no key.
std::function<std::unique_ptr<Policy>(const std::string& url)> PolicyServerClient(
    const std::string& api_key_file);

// What `own` or the model of --env-model imagines; empty in a core build, which reads no data sets.
std::function<std::unique_ptr<Env>(const EnvOptions&)> WorldOfModel(
    const RolloutOptions& options, const std::shared_ptr<SharedModel>& own,
    const std::string& device);

}  // namespace aim::cli
