// aim-serve: a model as a policy server.
#include "aim/policy/model_policy.h"
#include "aim/serve/run_serve.h"
#include "tools/cli/cli.h"
#include "tools/cli/stop_signals.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Serve a model as a policy over WebSockets: pictures, cameras and a pose in, a plan out;\n"
      "or, as a request's job says, videos, poses or both of what it imagines, simulates, labels.\n"
      "Speaks openpi's wire, with calibration beside its keys, RoboArena's, vLLM-Omni's and\n"
      "vla-eval's; docs/serving.md has the keys. GET /healthz and /metrics are there to watch it.\n"
      "Ctrl-C (SIGINT) or SIGTERM: takes no more requests, answers those under way, prints what\n"
      "was served and ends with exit code 128 + the signal; a second one ends at once.",
      "aim-serve"};
  app.footer("Example: aim-serve --model assets/tiny --port 8000");
  aim::ServeOptions options;
  aim::cli::AddFlags(app, options);
  aim::cli::ShowAsRequired(app, {"model"});
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    const aim::cli::StopSignals signals(run);
    aim::ServeParts parts;
    parts.make_model = [&] {
      aim::ModelPolicyOptions policy;
      policy.model = options.model;
      policy.mode = options.mode;
      policy.device = run.device();
      policy.budget.ms = options.budget_ms;
      return aim::MakeServedModel(policy);
    };
    std::cout << aim::ToJson(aim::RunServe(options, run, parts)).dump() << '\n';
  });
}
