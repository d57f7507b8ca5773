// A sum over parts that threads make at the same time, with the bits of a loop over them.
#pragma once

#include <ATen/core/Tensor.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace aim {

// In which type so many numbers are added up: float64 unless that takes more than 2 GiB, then
// `otherwise`. In float64 the order of the parts hardly shows once the sum is rounded to float32,
// so that ranks that add up what each has made give what one gives.
at::ScalarType SumDtype(int64_t count, at::ScalarType otherwise);

class OrderedSum {
 public:
  // Zeros of the shape of each of `like`, of SumDtype.
  explicit OrderedSum(const std::vector<at::Tensor>& like);

  // Makes part `index`, an undefined tensor being zero, waits until the parts before it have been
  // added, and adds it. Every index from 0 on is added once, by threads that begin with the lower
  // ones. A thread that waits holds its part: n threads have at most n + 1 sets of tensors alive.
  // If `make` throws, the later parts are given up: their calls return.
  void Add(int64_t index, const std::function<std::vector<at::Tensor>()>& make);

  // The same for a part whose tensors come one after another: `make` hands each with its number to
  // what it gets, which waits until the parts before it have been added.
  using AddTensor = std::function<void(size_t, const at::Tensor&)>;
  void AddByTensor(int64_t index, const std::function<void(const AddTensor&)>& make);

  // Once all have been added.
  std::vector<at::Tensor>& tensors() { return sums_; }

 private:
  class Turn;

  std::mutex mutex_;
  std::condition_variable turn_passed_;
  std::vector<at::Tensor> sums_;
  int64_t next_ = 0;
  bool failed_ = false;
};

}  // namespace aim
