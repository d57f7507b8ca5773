#include "train/divided.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "aim/tensor/fingerprint.h"
#include "aim/tensor/sealed_weights.h"

namespace aim {
namespace {

// What goes in one call: enough to hide what a call costs, little beside the gradients.
constexpr int64_t kGroupBytes = int64_t{64} << 20;

at::Tensor RoomFor(const at::Tensor& form) {
  return at::empty(form.sizes(), at::TensorOptions().dtype(form.scalar_type()));
}

// The sum of one tensor over the parts, which let go of it.
at::Tensor TakeSum(std::vector<std::vector<at::Tensor>>& parts, size_t index,
                   const at::Tensor& like, at::ScalarType dtype) {
  at::Tensor sum;
  for (std::vector<at::Tensor>& part : parts) {
    const at::Tensor summand = std::move(part[index]);
    if (!summand.defined()) continue;
    // A copy: gradients of one part may share their memory.
    sum = sum.defined() ? sum.add_(summand) : summand.to(dtype, false, true);
  }
  return sum.defined() ? sum : at::zeros(like.sizes(), at::TensorOptions().dtype(dtype));
}

// Each rank hashes its own, from where the one before it stopped.
std::string FingerprintDivided(const WeightMap& form, const WeightMap& own, const OwnerOf& owner,
                               Comm& comm) {
  std::vector<at::Tensor> state = {
      at::tensor({std::bit_cast<int64_t>(Fingerprinter().state())}, at::kLong)};
  int at = 0;
  for (const auto& [name, tensor] : form) {
    const int next = owner(name);
    comm.Move(at, next, state);
    at = next;
    if (comm.rank() != at) continue;
    Fingerprinter print(std::bit_cast<uint64_t>(state[0].item<int64_t>()));
    print.Add(name, own.at(name));
    state[0].fill_(std::bit_cast<int64_t>(print.state()));
  }
  comm.Move(at, 0, state);
  return Fingerprinter(std::bit_cast<uint64_t>(state[0].item<int64_t>())).Text();
}

}  // namespace

std::vector<at::Tensor> TensorsOf(const WeightMap& weights) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, weight] : weights) tensors.push_back(weight);
  return tensors;
}

double NormOf(const at::Tensor& squares) {
  const double* first = squares.const_data_ptr<double>();
  return std::sqrt(std::accumulate(first, first + squares.numel(), 0.0));
}

std::vector<double> TellAll(double own, Comm& comm) {
  std::vector<at::Tensor> told = {at::zeros({comm.size()}, at::kDouble)};
  told[0][comm.rank()] = own;
  comm.SumInPlace(told);
  const double* first = told[0].const_data_ptr<double>();
  return {first, first + comm.size()};
}

std::vector<at::Tensor> SumToOwners(std::vector<std::vector<at::Tensor>>& parts,
                                    const std::vector<at::Tensor>& like,
                                    const std::vector<int>& owners, at::ScalarType dtype,
                                    Comm& comm) {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> sums(like.size());
  for (int owner = 0; owner < comm.size(); ++owner) {
    std::vector<at::Tensor> group;
    int64_t bytes = 0;
    const auto send = [&] {
      if (!group.empty()) comm.SumTo(owner, group);
      group.clear();
      bytes = 0;
    };
    for (size_t i = 0; i < like.size(); ++i) {
      if (owners[i] != owner) continue;
      group.push_back(TakeSum(parts, i, like[i], dtype));
      if (owner == comm.rank()) sums[i] = group.back();
      bytes += static_cast<int64_t>(group.back().nbytes());
      if (bytes >= kGroupBytes) send();
    }
    send();
  }
  return sums;
}

void BroadcastFromOwners(const std::vector<at::Tensor>& tensors, const std::vector<int>& owners,
                         Comm& comm) {
  const c10::NoGradGuard no_grad;
  for (int owner = 0; owner < comm.size(); ++owner) {
    std::vector<at::Tensor> of_owner;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (owners[i] == owner) of_owner.push_back(tensors[i]);
    }
    if (!of_owner.empty()) comm.Broadcast(owner, of_owner);
  }
}

WeightMap GatherToRank0(const WeightMap& form, const WeightMap& own, const OwnerOf& owner,
                        Comm& comm) {
  WeightMap whole;
  for (const auto& [name, tensor] : form) {
    const int from = owner(name);
    if (comm.rank() != 0 && comm.rank() != from) continue;
    std::vector<at::Tensor> one = {comm.rank() == from ? own.at(name) : RoomFor(tensor)};
    comm.Move(from, 0, one);
    if (comm.rank() == 0) whole[name] = one[0];
  }
  return whole;
}

void WriteDivided(const std::filesystem::path& path, const WeightMap& form, const WeightMap& own,
                  const OwnerOf& owner, Comm& comm) {
  const std::string fingerprint = FingerprintDivided(form, own, owner, comm);
  const std::map<std::string, TensorInfo> infos = InfosOf(form);
  const auto fetch = [&](const std::string& name) {
    const int from = owner(name);
    std::vector<at::Tensor> one = {comm.rank() == from ? own.at(name) : RoomFor(form.at(name))};
    comm.Move(from, 0, one);
    return one[0];
  };
  if (comm.rank() == 0) return StreamSealed(path, infos, fetch, fingerprint);
  for (const std::string& name : OrderInFile(infos)) {
    if (owner(name) == comm.rank()) fetch(name);
  }
}

void ScatterFromRank0(const WeightMap& whole, WeightMap& own, const OwnerOf& owner, Comm& comm) {
  const WeightMap& names = comm.rank() == 0 ? whole : own;
  for (const auto& [name, tensor] : names) {
    std::vector<at::Tensor> one = {tensor};
    if (owner(name) != 0) comm.Move(0, owner(name), one);
  }
}

}  // namespace aim
