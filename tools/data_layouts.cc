#include <iostream>

#include "aim/base/text.h"
#include "aim/calibration/cameras.h"
#include "aim/data/convert.h"
#include "aim/data/data_options.h"
#include "aim/data/inspect.h"
#include "tools/cli/stop_signals.h"
#include "tools/commands.h"

namespace aim::cli {
namespace {

struct InspectOptions {
  DataOptions data;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("path", self.data.path, Any{}, InAnyLayout("data set, task, or one episode"));
    visit("layout", self.data.layout, LayoutChoices(), "auto: found by the files there");
  }
};

}  // namespace

void AddLayoutCommands(CLI::App& app, Commands& commands) {
  commands.push_back(AddCommand<InspectOptions>(
      app,
      {"inspect", "Count and check what a data set holds.", "Example: aim-data inspect data/demos"},
      [](const InspectOptions& options, RunContext& run) {
        const InspectReport report = InspectData(options.data.Open(), run.progress());
        std::cout << DumpJson(ToJson(report), 1) << '\n';
        RequireOneRead(options.data.path,
                       static_cast<size_t>(report.statistics.num_episodes) + report.skipped.size(),
                       report.skipped);
      },
      {"path"}));
  commands.push_back(AddCommand<ConvertOptions>(
      app,
      {"convert", "Write a data set in another layout, also with fewer views or frames.",
       "Example: aim-data convert data/demos data/clips --to folder --fps 4"},
      [](const ConvertOptions& options, RunContext& run) {
        const StopSignals signals(run);
        std::cout << DumpJson(ToJson(RunConvert(options, run)), 1) << '\n';
      },
      {"source", "destination"}));
  commands.push_back(AddCommand<CamerasOptions>(
      app,
      {"cameras",
       "Make cameras.json of what a calibration wrote, and undistorted pictures.",
       "Example: aim-data cameras --from kalibr assets/example/camchain.yaml --out "
       "out/rig/cameras.json",
       {"from", "out"}},
      [](const CamerasOptions& options, RunContext& run) {
        std::cout << DumpJson(ToJson(RunCameras(options, run)), 1) << '\n';
      },
      {"files"}));
  AddSetCommands(app, commands);
  AddCompareCommand(app, commands);
}

}  // namespace aim::cli
