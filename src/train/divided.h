// Tensors that ranks have divided among themselves: sums to their owners, values from them, a file.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "aim/tensor/weights.h"
#include "aim/train/comm.h"

namespace aim {

std::vector<at::Tensor> TensorsOf(const WeightMap& weights);

// The root of a sum in the order of the numbers: the bits of a loop.
double NormOf(const at::Tensor& squares);

// What each rank says, by rank.
std::vector<double> TellAll(double own, Comm& comm);

// Sums over the ranks and over the parts that each has made, every tensor on its owner alone: what
// others own is undefined. A part has a tensor for each of `like`, an undefined one being zero, and
// lets go of it as it is sent. Added up in `dtype`.
std::vector<at::Tensor> SumToOwners(std::vector<std::vector<at::Tensor>>& parts,
                                    const std::vector<at::Tensor>& like,
                                    const std::vector<int>& owners, at::ScalarType dtype,
                                    Comm& comm);

// Every tensor becomes that of its owner.
void BroadcastFromOwners(const std::vector<at::Tensor>& tensors, const std::vector<int>& owners,
                         Comm& comm);

using OwnerOf = std::function<int(const std::string& name)>;

// Rank 0 has all of what is divided: its own tensors, and room for the others, of the types and
// shapes of `form`. Nothing on other ranks.
WeightMap GatherToRank0(const WeightMap& form, const WeightMap& own, const OwnerOf& owner,
                        Comm& comm);

// Rank 0 writes what WriteSealed writes of all of it: it fetches a tensor when its place in the
// file has come, and has one at a time. `path` means nothing to other ranks.
void WriteDivided(const std::filesystem::path& path, const WeightMap& form, const WeightMap& own,
                  const OwnerOf& owner, Comm& comm);

// Tensors of rank 0 go to their owners: `whole` on rank 0, those `own` that are filled elsewhere.
void ScatterFromRank0(const WeightMap& whole, WeightMap& own, const OwnerOf& owner, Comm& comm);

}  // namespace aim
