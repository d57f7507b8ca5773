// The subcommands of aim-model, each from the file that was linked for it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/run_context.h"
#include "tools/cli/cli.h"

namespace aim::cli {

struct ModelCommand {
  CLI::App* app = nullptr;
  std::function<void(RunContext&)> run;  // owns its options
};
using ModelCommands = std::vector<ModelCommand>;

struct CommandText {
  std::string name;
  std::string help;
  std::string footer;
};

// A subcommand with the flags of Options; `run` is called with them.
template <class Options, class Run>
ModelCommand AddCommand(CLI::App& app, const CommandText& text, Run run,
                        const std::vector<std::string>& positionals = {}) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(text.name, text.help);
  command->footer(text.footer);
  AddFlags(*command, *options, positionals);
  return {command, [options, run](RunContext& context) { run(*options, context); }};
}

// evaluate and drift where policy is built; elsewhere a line of --help that says so.
void AddMeasurements(CLI::App& app, ModelCommands& commands);

}  // namespace aim::cli
