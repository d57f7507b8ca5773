#include "train/overlapped_sum.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace aim {
std::vector<std::vector<size_t>> GroupsInOrder(const std::vector<size_t>& order,
                                               const std::vector<at::Tensor>& tensors,
                                               int64_t group_bytes) {
  std::vector<std::vector<size_t>> groups;
  int64_t bytes = group_bytes;
  for (const size_t index : order) {
    if (bytes >= group_bytes) {
      groups.emplace_back();
      bytes = 0;
    }
    groups.back().push_back(index);
    bytes += static_cast<int64_t>(tensors[index].nbytes());
  }
  return groups;
}

OverlappedSum::OverlappedSum(std::vector<at::Tensor> sums, std::vector<std::vector<size_t>> groups,
                             Comm& comm)
    : sums_(std::move(sums)),
      groups_(std::move(groups)),
      comm_(comm),
      ready_(sums_.size(), false) {}

void OverlappedSum::Ready(size_t index) {
  if (ready_[index]) return;
  ready_[index] = true;
  arrivals_.push_back(index);
  while (next_ < groups_.size() &&
         std::ranges::all_of(groups_[next_], [&](size_t i) { return ready_[i]; }))
    StartNext();
}

void OverlappedSum::StartNext() {
  std::vector<at::Tensor> group;
  for (const size_t index : groups_[next_]) group.push_back(sums_[index]);
  ++next_;
  waits_.push_back(comm_.StartSum(std::move(group)));
}

void OverlappedSum::Finish() {
  while (next_ < groups_.size()) StartNext();
  for (const std::function<void()>& wait : waits_) wait();
  waits_.clear();
}

}  // namespace aim
