// Jobs of several clients for one thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace aim {

// Hands out a job of one client after another's, however many each has waiting. Thread-safe.
class FairQueue {
 public:
  using Job = std::function<void()>;

  void Push(uint64_t client, Job job);
  // Waits for the next job; none once the queue is closed and empty.
  std::optional<Job> Pop();
  // The jobs of a client that has gone are not handed out.
  void Drop(uint64_t client);
  void Close();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, std::deque<Job>> waiting_;  // no empty ones
  uint64_t last_client_ = 0;
  bool closed_ = false;
};

}  // namespace aim
