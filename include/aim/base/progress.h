// Progress of a long job: a bar on a terminal, a line each 10 s elsewhere, or nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <ostream>
#include <string>

namespace aim {

// Thread-safe. A null stream makes it silent. The library is handed one and never prints itself.
class Progress {
 public:
  Progress() = default;
  Progress(std::ostream* stream, bool is_terminal);

  // Begins a job of `total` items (0 = unknown) and forgets the last one.
  void Start(const std::string& label, int64_t total);
  // Adds done items; `note` (a loss, a task) is shown behind the count.
  void Advance(int64_t count, const std::string& note = "");
  void Finish();

 private:
  void Show(bool last);

  std::ostream* stream_ = nullptr;
  bool is_terminal_ = false;
  std::mutex mutex_;
  std::string label_;
  std::string note_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_shown_;
};

}  // namespace aim
