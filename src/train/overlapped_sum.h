// Sums over ranks that begin while the backward pass still goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "aim/tensor/weights.h"
#include "aim/train/comm.h"

namespace aim {

// Numbers of weights in about the order in which a backward pass is through with them: the head,
// the blocks from the last to the first, then what was computed before the blocks that read it
// (keys and values of the text, cameras, time). Of the names alone: sums have the same bits after
// --resume.
std::vector<size_t> BackwardOrder(const WeightMap& weights);

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

 private:
  void StartNext();

  std::vector<at::Tensor> sums_;
  std::vector<std::vector<size_t>> groups_;
  Comm& comm_;
  std::vector<bool> ready_;
  size_t next_ = 0;  // group
  std::vector<std::function<void()>> waits_;
};

}  // namespace aim
