// aim-model: look at models, make them from the files of others, measure them.
#include <iostream>

#include "aim/model/convert.h"
#include "aim/model/forward.h"
#include "aim/model/inspect.h"
#include "aim/model/make_bundle.h"
#include "aim/policy/drift.h"
#include "aim/policy/evaluate_model.h"
#include "tools/cli/cli.h"

namespace {

struct InspectOptions {
  std::string path;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("path", self.path, aim::Any{}, "model bundle (a folder) or weight file");
  }
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Look at models, make them from the files of others, measure what they can do.",
               "aim-model"};
  app.require_subcommand(1);

  InspectOptions inspect_options;
  CLI::App* inspect = app.add_subcommand("inspect", "Say what a bundle or weight file holds.");
  inspect->footer("Example: aim-model inspect assets/tiny");
  aim::cli::AddFlags(*inspect, inspect_options, {"path"});

  aim::ConvertOptions convert_options;
  CLI::App* convert =
      app.add_subcommand("convert", "Write any weight file as safetensors, one weight at a time.");
  convert->footer(
      "Example: aim-model convert assets/tiny/dit.safetensors out/dit_bf16.safetensors --dtype "
      "bf16");
  aim::cli::AddFlags(*convert, convert_options, {"source", "destination"});

  aim::MakeBundleOptions bundle_options;
  CLI::App* bundle =
      app.add_subcommand("bundle", "Make a bundle of the files of a release or of Diffusers.");
  bundle->footer(
      "Example: aim-model bundle --from-diffusers tests/data/parity/pipeline --out out/random_wan");
  aim::cli::AddFlags(*bundle, bundle_options);

  aim::ForwardOptions forward_options;
  CLI::App* forward = app.add_subcommand(
      "forward", "Run one part of a model on given tensors, to compare with another program.");
  forward->footer(
      "Example: aim-model forward --model out/random_wan --part dit --inputs "
      "tests/data/parity/dit.inputs.safetensors --out out/velocity.safetensors");
  aim::cli::AddFlags(*forward, forward_options);

  aim::EvaluateModelOptions evaluate_options;
  CLI::App* evaluate =
      app.add_subcommand("evaluate", "Measure every mode on recorded episodes, with intervals.");
  evaluate->footer(
      "Example: aim-model evaluate --model assets/tiny --data data/demos --episodes 4 "
      "--out out/evaluation.json");
  aim::cli::AddFlags(*evaluate, evaluate_options);

  aim::DriftOptions drift_options;
  CLI::App* drift = app.add_subcommand(
      "drift", "Generate the same under two settings and compare the decoded poses.");
  drift->footer(
      "Example: aim-model drift --model assets/tiny --data data/demos --episodes 2 "
      "--against steps=2 --out out/drift.json");
  aim::cli::AddFlags(*drift, drift_options);

  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    if (inspect->parsed()) {
      std::cout << aim::InspectModel(inspect_options.path).dump(1) << '\n';
    } else if (convert->parsed()) {
      std::cout << aim::RunConvert(convert_options, run).dump(1) << '\n';
    } else if (bundle->parsed()) {
      std::cout << aim::RunMakeBundle(bundle_options, run).dump(1) << '\n';
    } else if (forward->parsed()) {
      aim::RunForward(forward_options, run);
    } else if (drift->parsed()) {
      std::cout << aim::RunDrift(drift_options, run).dump(1) << '\n';
    } else {
      std::cout << aim::EvaluationTable(aim::RunEvaluateModel(evaluate_options, run));
    }
  });
}
