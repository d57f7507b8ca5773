#include "train/overlapped_sum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

namespace aim {
namespace {

// Lower ones come first.
std::pair<int, int> PlaceInPass(const std::string& name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (name.starts_with("head.")) return {0, 0};
  bool is_of_block = name.starts_with(kBlocks);
  for (const char* before :
       {".cross_attn.k.", ".cross_attn.v.", ".cross_attn.norm_k.", ".cam_encoder."})
    is_of_block = is_of_block && name.find(before) == std::string::npos;
  if (!is_of_block) return {2, 0};
  return {1, -std::atoi(name.c_str() + kBlocks.size())};
}

}  // namespace

std::vector<size_t> BackwardOrder(const WeightMap& weights) {
  std::vector<std::pair<int, int>> places;
  for (const auto& [name, weight] : weights) places.push_back(PlaceInPass(name));
  std::vector<size_t> order(places.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return places[i]; });
  return order;
}

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
  for (std::function<void()>& wait : waits_) {
    wait();
    wait = nullptr;  // with its buffer
  }
  waits_.clear();
}

}  // namespace aim
