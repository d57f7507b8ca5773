// Tests that run on each device and in each type against the same in float32 on the CPU. The rows
// of CUDA are skipped where there is no GPU.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "aim/tensor/device.h"
#include "support/tolerance.h"

namespace aim::testing {

struct DeviceRow {
  const char* device;
  at::ScalarType dtype;
};

inline auto AllDeviceRows() {
  return ::testing::Values(DeviceRow{"cpu", at::kFloat}, DeviceRow{"cpu", at::kBFloat16},
                           DeviceRow{"cuda", at::kFloat}, DeviceRow{"cuda", at::kBFloat16});
}

inline std::string DeviceRowName(const ::testing::TestParamInfo<DeviceRow>& row) {
  return std::string(row.param.device) + (row.param.dtype == at::kFloat ? "Float32" : "Bfloat16");
}

class DeviceRowTest : public ::testing::TestWithParam<DeviceRow> {
 protected:
  void SetUp() override {
    if (std::string(GetParam().device) == "cuda" && !at::hasCUDA())
      GTEST_SKIP() << "no CUDA in this build or no usable GPU";
    device_ = ParseDevice(GetParam().device);
    at::manual_seed(5);
  }

  at::ScalarType Dtype() const { return GetParam().dtype; }

  double Tolerance() const {
    return TensorTolerance(device_.is_cpu() ? Device::kCpu : Device::kCuda,
                           Dtype() == at::kBFloat16 ? Precision::kBfloat16 : Precision::kFloat32);
  }

  // Relative to the largest value.
  static double Error(const at::Tensor& got, const at::Tensor& expected) {
    const at::Tensor host = got.to(at::kCPU, at::kFloat);
    return ((host - expected).abs().max() / expected.abs().max()).item<double>();
  }

  void ExpectNear(const at::Tensor& got, const at::Tensor& expected, double times = 1) const {
    EXPECT_EQ(got.device(), device_);
    EXPECT_LE(Error(got, expected), times * Tolerance());
  }

  c10::Device device_ = c10::Device(c10::kCPU);
};

}  // namespace aim::testing
