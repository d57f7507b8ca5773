#include <iostream>

#include "aim/base/text.h"
#include "aim/data/data_options.h"
#include "aim/data/inspect.h"
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
        std::cout << DumpJson(ToJson(InspectData(options.data.Open(), run.progress())), 1) << '\n';
      },
      {"path"}));
}

}  // namespace aim::cli
