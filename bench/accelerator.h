// What a GPU has beside a CPU: a queue of work to wait for, and memory of its own.
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace aim {

class Accelerator {
 public:
  explicit Accelerator(c10::Device device) : device_(device) {}

  // Until the device has nothing left to do.
  void Wait() const;

  // The most that tensors took so far, or since Forget; null where they share the memory of
  // everything else.
  nlohmann::json PeakGib() const;
  void Forget() const;

  // Wall time with the device idle before and after.
  double Seconds(const std::function<void()>& work) const;

 private:
  c10::Device device_;
};

}  // namespace aim
