#include "aim/tensor/device.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include <algorithm>

#include "aim/base/error.h"

namespace aim {
namespace {

// N of "cuda:N", 0 for "cuda", -1 for any other text.
int CudaIndex(const std::string& text) {
  if (text == "cuda") return 0;
  const std::string prefix = "cuda:";
  if (text.rfind(prefix, 0) != 0) return -1;
  const std::string digits = text.substr(prefix.size());
  const bool is_number =
      !digits.empty() && digits.size() <= 2 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? std::stoi(digits) : -1;
}

}  // namespace

c10::Device ParseDevice(const std::string& text, const std::string& where) {
  if (text == "cpu") return c10::Device(c10::kCPU);
  const int index = CudaIndex(text);
  if (index < 0) {
    throw ConfigError(
        {.where = where, .got = "'" + text + "'", .expected = "cpu, cuda or cuda:N", .fix = ""});
  }
  if (!at::hasCUDA()) {
    const bool is_linked = at::globalContext().hasCUDART();
    throw ConfigError({.where = where,
                       .got = "'" + text + "'",
                       .expected = is_linked ? "cpu, because this machine has no usable NVIDIA GPU"
                                             : "cpu, because this build has no CUDA",
                       .fix = is_linked ? "check nvidia-smi"
                                        : "scripts/setup and scripts/configure on a machine with "
                                          "an NVIDIA GPU build one"});
  }
  const int count = static_cast<int>(at::getNumGPUs());
  if (index >= count) {
    throw ConfigError({.where = where,
                       .got = "'" + text + "'",
                       .expected = "cuda:0 to cuda:" + std::to_string(count - 1) + ", or cpu",
                       .fix = ""});
  }
  // cuDNN would round the factors of float32 convolutions to 10 bits; matrix products are exact by
  // default.
  at::globalContext().setAllowTF32CuDNN(false);
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

at::Tensor CopyQueued(const at::Tensor& made, c10::Device device) {
  return device.is_cuda() ? made.pin_memory().to(device, /*non_blocking=*/true) : made.to(device);
}

}  // namespace aim
