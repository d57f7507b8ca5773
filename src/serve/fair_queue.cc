#include "serve/fair_queue.h"

namespace aim {

void FairQueue::Push(uint64_t client, Job job) {
  const std::lock_guard lock(mutex_);
  waiting_[client].push_back(std::move(job));
  changed_.notify_one();
}

std::optional<FairQueue::Job> FairQueue::Pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
  if (waiting_.empty()) return std::nullopt;
  auto next = waiting_.upper_bound(last_client_);
  if (next == waiting_.end()) next = waiting_.begin();
  last_client_ = next->first;
  Job job = std::move(next->second.front());
  next->second.pop_front();
  if (next->second.empty()) waiting_.erase(next);
  return job;
}

void FairQueue::Drop(uint64_t client) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(client);
}

void FairQueue::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace aim
