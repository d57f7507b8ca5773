// A build without NCCL.
#include "aim/base/error.h"
#include "train/device_group.h"

namespace aim {

void RequireDeviceGroups(int size) {
  throw ConfigError({.where = "--device",
                     .got = "a GPU for each of " + std::to_string(size) + " ranks",
                     .expected = "one process: this build has no NCCL",
                     .fix = "build with -DAIM_CUDA=ON -DAIM_NCCL=ON"});
}

c10::intrusive_ptr<c10d::Backend> MakeDeviceGroup(const c10::intrusive_ptr<c10d::Store>&, int,
                                                  int size) {
  RequireDeviceGroups(size);
  return {};
}

}  // namespace aim
