// aim-label: poses with confidence for robot videos that have no actions.
#include "aim/pipeline/label.h"

#include <iostream>

#include "aim/base/text.h"
#include "tools/cli/cli.h"

int main(int argc, char** argv) {
  CLI::App app{"Recover metric robot poses from videos that have no actions.", "aim-label"};
  app.footer("Example: aim-label --model assets/tiny --data data/demos --out out/labels");
  aim::LabelOptions options;
  aim::cli::AddFlags(app, options);
  aim::cli::ShowAsRequired(app, {"model", "data", "out"});
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    std::cout << aim::DumpJson(ToJson(aim::RunLabel(options, run)), 1) << '\n';
  });
}
