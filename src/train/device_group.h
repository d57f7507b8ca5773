// The group of ranks through which tensors on GPUs go: c10d over NCCL, one GPU a rank.
#pragma once

#include <c10/util/intrusive_ptr.h>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace aim {

// Throws ConfigError in a build without NCCL.
void RequireDeviceGroups(int size);

// All ranks call it.
c10::intrusive_ptr<c10d::Backend> MakeDeviceGroup(const c10::intrusive_ptr<c10d::Store>& store,
                                                  int rank, int size);

}  // namespace aim
