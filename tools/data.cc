// aim-data: make, look at and convert data sets.
#include <iostream>

#include "aim/base/text.h"
#include "aim/env/simulator.h"
#include "aim/pipeline/demo_collection.h"
#include "tools/commands.h"

namespace {

aim::cli::Commands AddCommands(CLI::App& app) {
  aim::cli::Commands commands;
  commands.push_back(aim::cli::AddCommand<aim::DemoCollectionOptions>(
      app,
      {"demos",
       "Record scripted demonstrations of a simulator, as videos or in a latent cache.",
       "Example: aim-data demos --task reach_target --episodes 20 --out data/demos",
       {"out"}},
      [](const aim::DemoCollectionOptions& options, aim::RunContext& run) {
        const auto make_env = [&](const aim::EnvOptions& env) {
          return aim::MakeSimulator(options.simulator, env);
        };
        const aim::DemoReport report = aim::RunDemoCollection(options, make_env, run);
        std::cout << aim::DumpJson(ToJson(report), 1) << '\n';
      }));
  aim::cli::AddLayoutCommands(app, commands);
  return commands;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Make and look at robot data sets.", "aim-data"};
  const aim::cli::Commands commands = AddCommands(app);
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    for (const aim::cli::Command& command : commands) {
      if (command.app->parsed()) command.run(run);
    }
  });
}
