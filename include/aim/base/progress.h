// Progress of a long job, for whoever shows it: a terminal, a log, a notebook, nobody.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <ostream>
#include <string>

namespace aim {

// Where a job stands.
struct ProgressState {
  std::string label = {};  // "encode clips"
  int64_t done = 0;
  int64_t total = 0;  // 0 = unknown
  double elapsed_s = 0;
  std::string note = {};  // a loss, a task; may be empty
  bool begins = false;
  bool ends = false;
};

// Called at the start of a job, after each step and at its end, one call at a time, from the thread
// that made the step.
using ProgressSink = std::function<void(const ProgressState&)>;

// A bar on a terminal that is redrawn in place; elsewhere a line each 10 s and one at the end.
ProgressSink StreamProgress(std::ostream& stream, bool is_terminal);

// Thread-safe. Without a sink it is silent. The library is handed one and never prints itself.
class Progress {
 public:
  Progress() = default;
  explicit Progress(ProgressSink sink) : sink_(std::move(sink)) {}
  // StreamProgress; a null stream makes it silent.
  Progress(std::ostream* stream, bool is_terminal);

  // Begins a job of `total` items (0 = unknown) and forgets the last one.
  void Start(const std::string& label, int64_t total);
  // Adds done items; `note` is shown behind the count until the next one.
  void Advance(int64_t count, const std::string& note = "");
  void Finish();

 private:
  void Tell();

  ProgressSink sink_;
  std::mutex mutex_;
  ProgressState state_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace aim
