// aim-rollout: a policy in closed loop in a simulator, with gate, null policy and report.
#include "aim/eval/rollout.h"

#include <iostream>

#include "aim/policy/model_policy.h"
#include "tools/cli/cli.h"
#include "tools/commands.h"

int main(int argc, char** argv) {
  CLI::App app{"Roll a policy out in a simulator: success with intervals, report, videos.",
               "aim-rollout"};
  app.footer(
      "Example: aim-rollout --policy replay --task reach_target --episodes 2 --out out/rollout");
  aim::RolloutOptions options;
  aim::cli::AddFlags(app, options);
  aim::cli::ShowAsRequired(app, {"out"});

  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    aim::RolloutParts parts;
    parts.make_model_policy = [&] {
      aim::ModelPolicyOptions policy;
      policy.model = options.model;
      policy.mode = options.mode;
      policy.device = run.device();
      return aim::MakeModelPolicy(policy);
    };
    parts.connect = aim::cli::PolicyServerClient(options.api_key_file);
    std::cout << aim::ReportTable(aim::RunRollout(options, run, parts));
  });
}
