// aim-model: look at models, make them from the files of others, measure them.
#include <iostream>

#include "aim/base/text.h"
#include "aim/bundle/adapter.h"
#include "aim/bundle/convert.h"
#include "aim/bundle/forward.h"
#include "aim/bundle/inspect.h"
#include "aim/bundle/make_bundle.h"
#include "tools/commands.h"

namespace {

using aim::RunContext;
using aim::cli::AddCommand;

struct InspectOptions {
  std::string path;
  std::string key;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("path", self.path, aim::Any{}, "model bundle, Diffusers pipeline or weight file");
    visit("key", self.key, aim::Any{},
          "which weights of a file that holds several: a key of a torch file (ema), or what names "
          "begin with; empty: the usual ones");
  }
};

aim::cli::Commands AddCommands(CLI::App& app) {
  aim::cli::Commands commands;
  commands.push_back(AddCommand<InspectOptions>(
      app,
      {"inspect", "Say what a bundle, pipeline folder or weight file holds.",
       "Example: aim-model inspect assets/tiny"},
      [](const InspectOptions& options, RunContext&) {
        std::cout << aim::DumpJson(aim::InspectModel(options.path, options.key), 1) << '\n';
      },
      {"path"}));
  commands.push_back(AddCommand<aim::ConvertOptions>(
      app,
      {"convert", "Write any weight file as safetensors, one weight at a time.",
       "Example: aim-model convert assets/tiny/dit.safetensors out/dit_bf16.safetensors --dtype "
       "bf16"},
      [](const aim::ConvertOptions& options, RunContext& run) {
        std::cout << aim::DumpJson(aim::RunConvert(options, run), 1) << '\n';
      },
      {"source", "destination"}));
  commands.push_back(AddCommand<aim::MakeBundleOptions>(
      app,
      {"bundle",
       "Make a bundle of the files of a release or of Diffusers.",
       "Example: aim-model bundle --from-diffusers tests/data/parity/pipeline --out "
       "out/random_wan",
       {"out"}},
      [](const aim::MakeBundleOptions& options, RunContext& run) {
        std::cout << aim::DumpJson(aim::RunMakeBundle(options, run), 1) << '\n';
      }));
  commands.push_back(AddCommand<aim::AdapterMergeOptions>(
      app,
      {"merge",
       "Add an adapter (LoRA) to the matrices of a model.",
       "Example: aim-model merge --model out/lora/bundle --out out/merged",
       {"model", "out"}},
      [](const aim::AdapterMergeOptions& options, RunContext& run) {
        std::cout << aim::DumpJson(ToJson(aim::RunAdapterMerge(options, run)), 1) << '\n';
      }));
  commands.push_back(AddCommand<aim::ForwardOptions>(
      app,
      {"forward",
       "Run one part of a model on given tensors, to compare with another program.",
       "Example: aim-model forward --model out/random_wan --part dit --inputs "
       "tests/data/parity/dit.inputs.safetensors --out out/velocity.safetensors",
       {"model", "inputs", "out"}},
      [](const aim::ForwardOptions& options, RunContext& run) {
        std::cout << aim::DumpJson(ToJson(aim::RunForward(options, run)), 1) << '\n';
      }));
  aim::cli::AddMeasurements(app, commands);
  return commands;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Look at models, make them from the files of others, measure what they can do.",
               "aim-model"};
  const aim::cli::Commands commands = AddCommands(app);
  return aim::cli::Main(app, argc, argv, [&](RunContext& run) {
    for (const aim::cli::Command& command : commands) {
      if (command.app->parsed()) command.run(run);
    }
  });
}
