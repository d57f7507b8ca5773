// Ctrl-C and kill as a request to end in good order.
#pragma once

#include "aim/base/run_context.h"

namespace aim::cli {

// While it lives, the first SIGINT or SIGTERM calls run.RequestStop(), a second one ends the
// process at once. One at a time, and only around jobs that look at run.stop_requested(): others
// would not hear the first.
class StopSignals {
 public:
  explicit StopSignals(RunContext& run);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

// The signal that asked to stop, or 0.
int ReceivedStopSignal();

}  // namespace aim::cli
