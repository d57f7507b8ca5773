// aim-rollout: a policy in closed loop in a simulator, with gate, null policy and report.
#include "aim/eval/rollout.h"

#include <iostream>

#include "aim/eval/rollout_merge.h"
#include "aim/policy/model_policy.h"
#include "tools/cli/cli.h"
#include "tools/cli/stop_signals.h"
#include "tools/commands.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Roll a policy out in a simulator: success with intervals, report, videos.\n"
      "Ctrl-C (SIGINT) or SIGTERM: the trials under way are finished, then it ends with exit code\n"
      "128 + the signal; a second one ends at once. --resume goes on from what was played.",
      "aim-rollout"};
  app.footer(
      "Example: aim-rollout --policy replay --task reach_target --episodes 2 --out out/rollout");
  aim::RolloutOptions options;
  aim::cli::AddFlags(app, options);
  aim::cli::ShowAsRequired(app, {"out"});
  const aim::cli::Command merge = aim::cli::AddCommand<aim::RolloutMergeOptions>(
      app,
      {"merge",
       "Make one rollout of the shards of one.",
       "Example: aim-rollout merge out/rollout --out out/merged",
       {"out"}},
      [](const aim::RolloutMergeOptions& shards, aim::RunContext& run) {
        std::cout << aim::ReportTable(aim::RunRolloutMerge(shards, run));
      },
      {"folders"});

  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    if (merge.app->parsed()) return merge.run(run);
    aim::RolloutParts parts;
    const auto model = std::make_shared<aim::SharedModel>(options.model, run.device());
    parts.make_model_policy = aim::ModelPolicies(
        model, options.mode, {.ms = options.budget_ms, .settled = aim::ServedBefore(run)});
    parts.make_imagined_env = aim::cli::WorldOfModel(options, model, run.device());
    parts.connect = aim::cli::PolicyServerClient(options.api_key_file);
    const aim::cli::StopSignals signals(run);
    if (const auto report = aim::RunRollout(options, run, parts)) {
      std::cout << aim::ReportTable(*report);
    }
  });
}
