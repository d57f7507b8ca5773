#include "aim/base/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace aim {
namespace {

constexpr int kNumItems = 100;

// How often each item was done.
std::vector<int> Counts(int num_threads) {
  std::vector<std::atomic<int>> counts(kNumItems);
  ParallelFor(kNumItems, num_threads, [&](int64_t item) { ++counts[static_cast<size_t>(item)]; });
  return {counts.begin(), counts.end()};
}

TEST(ParallelForTest, EachItemIsDoneOnce) {
  for (const int num_threads : {0, 1, 3, 200}) {
    EXPECT_EQ(Counts(num_threads), std::vector<int>(kNumItems, 1)) << num_threads;
  }
  ParallelFor(0, 4, [](int64_t) { FAIL() << "there is no item"; });
}

TEST(ParallelForTest, AnErrorIsThrownInTheCaller) {
  const auto fail = [](int64_t item) {
    if (item == 7) throw std::runtime_error("item 7");
  };
  EXPECT_THROW(ParallelFor(kNumItems, 4, fail), std::runtime_error);
}

// Threads of a stack that no machine has: none is started, as where their number is limited.
TEST(ParallelForTest, WithoutMoreThreadsTheCallerDoesAll) {
  pthread_attr_t usual;
  ASSERT_EQ(pthread_getattr_default_np(&usual), 0);
  pthread_attr_t huge;
  pthread_attr_init(&huge);
  ASSERT_EQ(pthread_attr_setstacksize(&huge, size_t{1} << 50), 0);
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  EXPECT_EQ(Counts(8), std::vector<int>(kNumItems, 1));
  pthread_setattr_default_np(&usual);
  pthread_attr_destroy(&huge);
  pthread_attr_destroy(&usual);
}

}  // namespace
}  // namespace aim
