#include "train/ordered_sum.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "aim/base/error.h"
#include "aim/base/parallel.h"

namespace aim {
namespace {

std::vector<at::Tensor> One(float value) { return {at::full({3}, value)}; }

// 1 + 1e17 - 1e17 is 0 in this order and 1 in others: float64 has 16 digits.
TEST(OrderedSumTest, PartsThatCameEarlyWaitForTheirTurn) {
  OrderedSum sum(One(0));
  std::atomic<int> made{0};
  {
    std::jthread last([&] { sum.Add(2, [&] { return ++made, One(-1e17f); }); });
    std::jthread middle([&] { sum.Add(1, [&] { return ++made, One(1e17f); }); });
    while (made < 2) std::this_thread::yield();
    sum.Add(0, [] { return One(1); });
  }
  EXPECT_TRUE(at::equal(sum.tensors()[0], at::zeros({3}, at::kDouble)));
}

TEST(OrderedSumTest, TheNumberOfThreadsChangesNoBit) {
  at::manual_seed(3);
  std::vector<std::vector<at::Tensor>> parts;
  for (int i = 0; i < 20; ++i) parts.push_back({at::randn({50}), at::randn({7}).mul(1e4)});
  parts[4][1] = at::Tensor();
  const auto sum_with = [&](int num_threads) {
    OrderedSum sum({at::zeros({50}), at::zeros({7})});
    ParallelFor(20, num_threads,
                [&](int64_t i) { sum.Add(i, [&] { return parts[static_cast<size_t>(i)]; }); });
    return std::move(sum.tensors());
  };
  const std::vector<at::Tensor> one = sum_with(1);
  for (const int num_threads : {2, 3, 8}) {
    const std::vector<at::Tensor> several = sum_with(num_threads);
    EXPECT_TRUE(at::equal(one[0], several[0]) && at::equal(one[1], several[1])) << num_threads;
  }
}

// A thread that waits for its turn makes no further part.
TEST(OrderedSumTest, AtMostOnePartAThreadIsAlive) {
  std::atomic<int> alive{0};
  std::atomic<int> most{0};
  const auto make = [&]() -> std::vector<at::Tensor> {
    const int now = ++alive;
    for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
    }
    float* data = new float[3]{1, 1, 1};
    return {at::from_blob(
        data, {3}, [&](void* p) { --alive, delete[] static_cast<float*>(p); }, at::kFloat)};
  };
  OrderedSum sum(One(0));
  ParallelFor(40, 3, [&](int64_t i) { sum.Add(i, make); });
  EXPECT_LE(most, 3);
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(at::equal(sum.tensors()[0], One(40)[0]));
}

// The last part tensor by tensor: the bits of parts that are added whole, and its turn is waited
// for.
TEST(OrderedSumTest, APartMayComeTensorByTensor) {
  OrderedSum sum({at::zeros({3}), at::zeros({2})});
  std::atomic<bool> first_made{false}, last_begun{false};
  {
    std::jthread last([&] {
      sum.AddByTensor(1, [&](const OrderedSum::AddTensor& add) {
        last_begun = true;
        last_begun.notify_all();
        add(1, at::full({2}, -1e17f));
        EXPECT_TRUE(first_made);
      });
    });
    sum.Add(0, [&]() -> std::vector<at::Tensor> {
      last_begun.wait(false);  // both are made at the same time
      first_made = true;
      return {at::ones({3}), at::full({2}, 1e17f)};
    });
  }
  EXPECT_TRUE(at::equal(sum.tensors()[0], at::ones({3}, at::kDouble)));
  EXPECT_TRUE(at::equal(sum.tensors()[1], at::zeros({2}, at::kDouble)));
}

TEST(OrderedSumTest, AFailureEndsTheWaitOfTheOthers) {
  OrderedSum sum(One(0));
  EXPECT_THROW(ParallelFor(8, 3,
                           [&](int64_t i) {
                             sum.Add(i, [&] {
                               if (i == 1) throw InputError({"part", "bad", "good", ""});
                               return One(1);
                             });
                           }),
               InputError);
}

}  // namespace
}  // namespace aim
