#include <iostream>

#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/data/merge.h"
#include "aim/data/split.h"
#include "aim/data/validate.h"
#include "aim/gallery/gallery.h"
#include "tools/cli/stop_signals.h"
#include "tools/commands.h"

namespace aim::cli {

void AddSetCommands(CLI::App& app, Commands& commands) {
  commands.push_back(AddCommand<ValidateOptions>(
      app,
      {"validate", "Read everything of data sets and name what is wrong in them.",
       "Example: aim-data validate data/demos --out out/findings.json"},
      [](const ValidateOptions& options, RunContext& run) {
        const ValidateReport report = RunValidate(options, run);
        if (!run.prepared()) std::cout << DumpJson(ToJson(report), 1) << '\n';
        RequireValid(report);
        LogInfo(Summary(report));
      },
      {"paths"}));
  commands.push_back(AddCommand<MergeOptions>(
      app,
      {"merge", "Write several data sets as one, each episode once.",
       "Example: aim-data merge data/demos data/clips data/all --to folder --fps 4"},
      [](const MergeOptions& options, RunContext& run) {
        const StopSignals signals(run);
        std::cout << DumpJson(ToJson(RunMerge(options, run)), 1) << '\n';
      },
      {"paths"}));
  commands.push_back(AddCommand<SplitOptions>(
      app,
      {"split",
       "Write a data set as several, copies of an episode always in one of them.",
       "Example: aim-data split data/demos --parts train=0.8,val=0.2 --out data/parts",
       {"out"}},
      [](const SplitOptions& options, RunContext& run) {
        const StopSignals signals(run);
        std::cout << DumpJson(ToJson(RunSplit(options, run)), 1) << '\n';
      },
      {"path"}));
  commands.push_back(AddCommand<GalleryOptions>(
      app,
      {"view",
       "Make a page that shows a data set: pictures, tool, cameras, statistics.",
       "Example: aim-data view data/demos --out out/view",
       {"out"}},
      [](const GalleryOptions& options, RunContext& run) {
        std::cout << DumpJson(ToJson(RunGallery(options, run)), 1) << '\n';
      },
      {"path"}));
}

}  // namespace aim::cli
