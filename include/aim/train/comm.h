// How the ranks of one training run, each a process, speak with each other.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace aim {

class Comm {
 public:
  virtual ~Comm() = default;

  virtual int rank() const = 0;  // of this process, in [0, size())
  virtual int size() const = 0;
  virtual int local_size() const { return size(); }  // of them on this host

  virtual std::string HostOf(int /*rank*/) const { return "this host"; }
  // Spent in the calls below so far, most of it waiting for ranks that came later.
  virtual double wait_s() const { return 0; }

  // All ranks make the calls below in the same order, with tensors of the same shapes and types.
  // They throw IoError if a rank is lost.

  // Every tensor becomes the sum of those of all ranks, the same bits on each.
  virtual void SumInPlace(std::span<at::Tensor> tensors) = 0;
  // The same of tensors of one type, begun at once; the call of what is returned waits for it, and
  // nobody touches them before.
  virtual std::function<void()> StartSum(std::vector<at::Tensor> tensors) {
    SumInPlace(tensors);
    return [] {};
  }
  // On rank `owner` alone; elsewhere what is left in them means nothing.
  virtual void SumTo(int owner, std::span<at::Tensor> tensors) = 0;
  // Every tensor becomes that of rank `from`.
  virtual void Broadcast(int from, std::span<at::Tensor> tensors) = 0;
  // The same on rank `to` alone: all but the two may leave the call out.
  virtual void Move(int from, int to, std::span<at::Tensor> tensors) = 0;
};

// One process alone.
class LocalComm : public Comm {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void SumInPlace(std::span<at::Tensor>) override {}
  void SumTo(int, std::span<at::Tensor>) override {}
  void Broadcast(int, std::span<at::Tensor>) override {}
  void Move(int, int, std::span<at::Tensor>) override {}
};

}  // namespace aim
