// In place of model_measurements.cc in a core build, which reads no episodes.
#include "tools/commands.h"

namespace aim::cli {

void AddMeasurements(CLI::App& app, Commands&) {
  app.footer("Not in this build (AIM_CORE_ONLY): evaluate, drift.");
}

}  // namespace aim::cli
