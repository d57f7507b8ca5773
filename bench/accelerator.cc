#include "accelerator.h"

#include <ATen/DeviceAccelerator.h>

#include <chrono>

#include "aim/diffusion/guidance_memory.h"

namespace aim {

void Accelerator::Wait() const {
  if (!device_.is_cpu()) at::accelerator::synchronizeDevice(device_.index());
}

nlohmann::json Accelerator::PeakGib() const {
  if (device_.is_cpu()) return nullptr;
  return static_cast<double>(PeakBytes(device_)) / (1 << 30);
}

void Accelerator::Forget() const {
  if (!device_.is_cpu()) at::accelerator::resetPeakStats(device_.index());
}

double Accelerator::Seconds(const std::function<void()>& work) const {
  Wait();
  const auto start = std::chrono::steady_clock::now();
  work();
  Wait();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace aim
