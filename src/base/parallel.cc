#include "aim/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace aim {
namespace {

// As many as the system gives: fewer do the same items, later. (No log here: what decodes alone is
// linked without it.)
std::vector<std::thread> StartThreads(int64_t count, const std::function<void()>& work) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(std::max<int64_t>(count, 0)));
  try {
    while (std::ssize(threads) < count) threads.emplace_back(work);
  } catch (const std::system_error&) {
    return threads;
  }
  return threads;
}

}  // namespace

void ParallelFor(int64_t count, int num_threads, const std::function<void(int64_t)>& body) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  std::mutex mutex;
  const auto work = [&] {
    while (!failed) {
      const int64_t item = next++;
      if (item >= count) return;
      try {
        body(item);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        failed = true;
      }
    }
  };
  const int64_t extra = std::min<int64_t>(count, num_threads) - 1;
  std::vector<std::thread> threads = StartThreads(extra, work);
  work();
  for (std::thread& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
}

namespace {
std::atomic<int> thread_limit{0};
}  // namespace

int NumProcessors() {
  const int limit = thread_limit;
  if (limit > 0) return limit;
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0)
    return std::max(1, CPU_COUNT(&processors));
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

void LimitThreads(int num_threads) { thread_limit = num_threads; }

}  // namespace aim
