#include <chrono>
#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "train/device_group.h"

namespace aim {

void RequireDeviceGroups(int) {}

c10::intrusive_ptr<c10d::Backend> MakeDeviceGroup(const c10::intrusive_ptr<c10d::Store>& store,
                                                  int rank, int size) {
  // A thread of c10d would end the process by SIGABRT when a rank is lost; the heartbeat says
  // which.
  setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", /*overwrite=*/0);
  setenv("TORCH_NCCL_ENABLE_MONITORING", "0", /*overwrite=*/0);
  const auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::hours(24);
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
}

}  // namespace aim
