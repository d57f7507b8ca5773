// Sums over ranks that begin while the backward pass still goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "aim/train/comm.h"

namespace aim {

// Groups of tensors, by their numbers, in the order in which a backward pass is through with them.
// A group ends where it has `group_bytes`.
std::vector<std::vector<size_t>> GroupsInOrder(const std::vector<size_t>& order,
                                               const std::vector<at::Tensor>& tensors,
                                               int64_t group_bytes);

class OverlappedSum {
 public:
  // `sums` become those over all ranks, which do the same with the same groups.
  OverlappedSum(std::vector<at::Tensor> sums, std::vector<std::vector<size_t>> groups, Comm& comm);

  // Tensor `index` is what this rank adds. The groups are sent in their order, each as soon as all
  // of it and of those before it is ready. Twice says no more than once.
  void Ready(size_t index);
  // All are; waits until they are summed.
  void Finish();

  // Those that were said to be ready, in that order.
  const std::vector<size_t>& arrivals() const { return arrivals_; }

 private:
  void StartNext();

  std::vector<at::Tensor> sums_;
  std::vector<std::vector<size_t>> groups_;
  Comm& comm_;
  std::vector<bool> ready_;
  std::vector<size_t> arrivals_;
  size_t next_ = 0;  // group
  std::vector<std::function<void()>> waits_;
};

}  // namespace aim
