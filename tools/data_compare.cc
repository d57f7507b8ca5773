// aim-data compare: what needs networks.
#include <iostream>

#include "aim/pipeline/compare.h"
#include "tools/commands.h"

namespace aim::cli {

void AddCompareCommand(CLI::App& app, Commands& commands) {
  commands.push_back(AddCommand<CompareOptions>(
      app,
      {"compare", "Measure how near the videos and poses of one data set are to those of another.",
       "Example: aim-data compare data/clips data/demos --fps 4 --metrics psnr,ssim,pose"},
      [](const CompareOptions& options, RunContext& run) {
        std::cout << CompareTable(RunCompare(options, run));
      },
      {"judged", "truth"}));
}

}  // namespace aim::cli
