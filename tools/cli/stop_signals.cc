#include "tools/cli/stop_signals.h"

#include <atomic>
#include <csignal>

namespace aim::cli {
namespace {

// A handler gets nothing but the signal's number.
std::atomic<RunContext*> stopped_run{nullptr};
volatile std::sig_atomic_t received = 0;

constexpr int kSignals[] = {SIGINT, SIGTERM};

void UseDefaults() {
  for (const int signal : kSignals) std::signal(signal, SIG_DFL);
}

void Handle(int signal) {
  UseDefaults();
  received = signal;
  RunContext* run = stopped_run;
  if (run != nullptr) run->RequestStop();
}

}  // namespace

StopSignals::StopSignals(RunContext& run) {
  stopped_run = &run;
  struct sigaction action = {};
  action.sa_handler = Handle;
  action.sa_flags = SA_RESTART;
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

StopSignals::~StopSignals() {
  UseDefaults();
  stopped_run = nullptr;
}

int ReceivedStopSignal() { return received; }

}  // namespace aim::cli
