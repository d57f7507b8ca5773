#include "train/ordered_sum.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "aim/base/error.h"

namespace aim {

// Wakes those who wait when a part was added, or never will be.
class OrderedSum::Turn {
 public:
  explicit Turn(OrderedSum& sum) : sum_(sum) {}
  ~Turn() {
    const std::lock_guard lock(sum_.mutex_);
    if (!passed_) sum_.failed_ = true;
    sum_.turn_passed_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  void Pass() { passed_ = true; }

 private:
  OrderedSum& sum_;
  bool passed_ = false;
};

at::ScalarType SumDtype(int64_t count, at::ScalarType otherwise) {
  constexpr int64_t kMostBytes = int64_t{2} << 30;
  return count * static_cast<int64_t>(sizeof(double)) <= kMostBytes ? at::kDouble : otherwise;
}

OrderedSum::OrderedSum(const std::vector<at::Tensor>& like) {
  int64_t count = 0;
  for (const at::Tensor& tensor : like) count += tensor.numel();
  for (const at::Tensor& tensor : like) {
    const at::ScalarType dtype = SumDtype(count, tensor.scalar_type());
    sums_.push_back(at::zeros_like(tensor, tensor.options().dtype(dtype)));
  }
}

void OrderedSum::Add(int64_t index, const std::function<std::vector<at::Tensor>()>& make) {
  Turn turn(*this);
  const std::vector<at::Tensor> part = make();
  AIM_CHECK(part.size() == sums_.size());
  std::unique_lock lock(mutex_);
  turn_passed_.wait(lock, [&] { return failed_ || next_ == index; });
  if (failed_) return;
  const c10::NoGradGuard no_grad;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i].defined()) sums_[i].add_(part[i]);
  }
  ++next_;
  turn.Pass();
}

void OrderedSum::AddByTensor(int64_t index, const std::function<void(const AddTensor&)>& make) {
  Turn turn(*this);
  // Until the turn comes the backward pass stands still at its first tensor; nobody else adds until
  // it has passed.
  const auto wait = [&] {
    std::unique_lock lock(mutex_);
    turn_passed_.wait(lock, [&] { return failed_ || next_ == index; });
    return !failed_;
  };
  make([&](size_t i, const at::Tensor& tensor) {
    const c10::NoGradGuard no_grad;
    if (wait()) sums_[i].add_(tensor);
  });
  if (!wait()) return;
  const std::lock_guard lock(mutex_);
  ++next_;
  turn.Pass();
}

}  // namespace aim
