// Ranks of a training run that are threads of a test.
#pragma once

#include <ATen/ATen.h>

#include <barrier>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "aim/train/comm.h"

namespace aim::testing {

// Ranks that are threads of this process.
class ThreadComm : public Comm {
 public:
  struct Shared {
    using Letter = std::deque<std::vector<at::Tensor>>;
    explicit Shared(int size) : tensors(static_cast<size_t>(size)), barrier(size) {}
    Letter& LetterOf(int from, int to) {
      const std::lock_guard lock(mutex);
      return letters[{from, to}];
    }
    std::vector<std::span<at::Tensor>> tensors;  // of each rank
    std::barrier<> barrier;
    std::map<std::pair<int, int>, Letter> letters;  // on their way
    std::mutex mutex;
    std::condition_variable arrived;
  };

  ThreadComm(Shared& shared, int rank) : shared_(shared), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(shared_.tensors.size()); }
  void Broadcast(int from, std::span<at::Tensor> tensors) override {
    shared_.tensors[static_cast<size_t>(rank_)] = tensors;
    shared_.barrier.arrive_and_wait();
    for (size_t i = 0; i < tensors.size() && rank_ != from; ++i)
      tensors[i].copy_(shared_.tensors[static_cast<size_t>(from)][i]);
    shared_.barrier.arrive_and_wait();
  }
  void SumTo(int owner, std::span<at::Tensor> tensors) override {
    std::vector<at::Tensor> sums;
    for (const at::Tensor& tensor : tensors) sums.push_back(tensor.clone());
    SumInPlace(sums);
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (rank_ == owner) {
        tensors[i].copy_(sums[i]);
      } else {
        tensors[i].fill_(0);  // means nothing
      }
    }
  }
  void Move(int from, int to, std::span<at::Tensor> tensors) override {
    if (from == to || (rank_ != from && rank_ != to)) return;
    Shared::Letter& letter = shared_.LetterOf(from, to);
    if (rank_ == from) {
      std::vector<at::Tensor> copies;
      for (const at::Tensor& tensor : tensors) copies.push_back(tensor.clone());
      const std::lock_guard lock(shared_.mutex);
      letter.push_back(std::move(copies));
      shared_.arrived.notify_all();
      return;
    }
    std::unique_lock lock(shared_.mutex);
    shared_.arrived.wait(lock, [&] { return !letter.empty(); });
    for (size_t i = 0; i < tensors.size(); ++i) tensors[i].copy_(letter.front()[i]);
    letter.pop_front();
  }
  void SumInPlace(std::span<at::Tensor> tensors) override {
    shared_.tensors[static_cast<size_t>(rank_)] = tensors;
    shared_.barrier.arrive_and_wait();
    std::vector<at::Tensor> sums;
    for (size_t i = 0; i < tensors.size(); ++i) {
      sums.push_back(at::zeros_like(tensors[i]));
      for (const auto& of_rank : shared_.tensors) sums[i].add_(of_rank[i]);
    }
    shared_.barrier.arrive_and_wait();
    for (size_t i = 0; i < tensors.size(); ++i) tensors[i].copy_(sums[i]);
  }

 private:
  Shared& shared_;
  int rank_;
};

// Does `work` as each of `size` ranks, at the same time.
template <class Work>
void AsRanks(int size, const Work& work) {
  ThreadComm::Shared shared(size);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&shared, &work, rank] {
      ThreadComm comm(shared, rank);
      work(comm);
    });
  }
}

}  // namespace aim::testing
