// What a device did while some work ran, by the profiler that LibTorch brings.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace aim {

struct KernelProfile {
  struct Kernel {
    std::string name;
    int64_t count = 0;
    double ms = 0;
  };
  std::vector<Kernel> kernels;  // of equal name together, the longest first
  double sum_ms = 0;            // of all of them
  double span_ms = 0;           // from the start of the first to the end of the last
};

// Kernels, copies and fills of a GPU; on a CPU the operations that `work` calls, without those
// that these call. `work` returns when the device has done all of it.
KernelProfile ProfileKernels(c10::Device device, const std::function<void()>& work);

// With the share of the device's time of each of the `most` largest.
nlohmann::json ToJson(const KernelProfile& profile, size_t most = 40);

}  // namespace aim
