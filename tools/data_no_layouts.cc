// In place of data_layouts.cc in a core build, which reads no episodes.
#include "tools/commands.h"

namespace aim::cli {

void AddLayoutCommands(CLI::App& app, Commands&) {
  app.footer(
      "Not in this build (AIM_CORE_ONLY): inspect, convert, validate, merge, split, view, compare, "
      "cameras; demos without --cache.");
}

}  // namespace aim::cli
