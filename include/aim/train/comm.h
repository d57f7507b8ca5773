// How the ranks of one training run, each a process, speak with each other.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

namespace aim {

class Comm {
 public:
  virtual ~Comm() = default;

  virtual int rank() const = 0;  // of this process, in [0, size())
  virtual int size() const = 0;
  virtual int local_size() const { return size(); }  // of them on this host

  // Every tensor becomes the sum of those of all ranks, the same bits on each. All ranks call it,
  // with tensors of the same shapes and types in the same order.
  virtual void SumInPlace(std::span<at::Tensor> tensors) = 0;

  // Every tensor becomes that of rank 0; called as SumInPlace is. Both throw IoError if a rank is
  // lost.
  virtual void Broadcast(std::span<at::Tensor> tensors) = 0;
};

// One process alone.
class LocalComm final : public Comm {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void SumInPlace(std::span<at::Tensor>) override {}
  void Broadcast(std::span<at::Tensor>) override {}
};

}  // namespace aim
