// What several clients ask of one thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace aim {

// Hands out a job of one client after another's, however many each has waiting. Thread-safe.
template <class Job>
class FairQueue {
 public:
  void Push(uint64_t client, Job job) {
    const std::lock_guard lock(mutex_);
    waiting_[client].push_back(std::move(job));
    changed_.notify_one();
  }

  // Waits for the next job, and takes those that wait behind it, `most` in all, in their turns, up
  // to one that is `last`; none once the queue is closed and empty.
  template <class IsLast>
  std::vector<Job> Pop(int most, const IsLast& is_last) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    std::vector<Job> jobs;
    while (!waiting_.empty() && std::ssize(jobs) < most) {
      jobs.push_back(Next());
      if (is_last(jobs.back())) break;
    }
    return jobs;
  }

  // The jobs of a client that has gone are not handed out.
  void Drop(uint64_t client) {
    const std::lock_guard lock(mutex_);
    waiting_.erase(client);
  }

  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  Job Next() {
    auto next = waiting_.upper_bound(last_client_);
    if (next == waiting_.end()) next = waiting_.begin();
    last_client_ = next->first;
    Job job = std::move(next->second.front());
    next->second.pop_front();
    if (next->second.empty()) waiting_.erase(next);
    return job;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, std::deque<Job>> waiting_;  // no empty ones
  uint64_t last_client_ = 0;
  bool closed_ = false;
};

}  // namespace aim
