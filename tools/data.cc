// aim-data: make, look at and convert data sets.
#include <iostream>

#include "aim/data/data_options.h"
#include "aim/data/inspect.h"
#include "aim/env/tabletop.h"
#include "aim/pipeline/demo_collection.h"
#include "cli/cli.h"

namespace {

struct InspectOptions {
  aim::DataOptions data;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("path", self.data.path, aim::Any{}, aim::InAnyLayout("data set, task, or one episode"));
    visit("layout", self.data.layout, aim::LayoutChoices(), "auto: found by the files there");
  }
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Make and look at robot data sets.", "aim-data"};
  app.require_subcommand(1);

  aim::DemoCollectionOptions demos_options;
  CLI::App* demos = app.add_subcommand("demos", "Record scripted demonstrations of the simulator.");
  demos->footer("Example: aim-data demos --task reach_target --episodes 20 --out data/demos");
  aim::cli::AddFlags(*demos, demos_options);

  InspectOptions inspect_options;
  CLI::App* inspect = app.add_subcommand("inspect", "Count and check what a data set holds.");
  inspect->footer("Example: aim-data inspect data/demos");
  aim::cli::AddFlags(*inspect, inspect_options, {"path"});

  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    const nlohmann::json result =
        demos->parsed() ? ToJson(aim::RunDemoCollection(demos_options, aim::MakeTabletop, run))
                        : ToJson(aim::InspectData(inspect_options.data.Open(), run.progress()));
    std::cout << result.dump(1) << '\n';
  });
}
