#include "aim/tensor/device.h"

#include <ATen/Context.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"

namespace aim {
namespace {

using ::testing::HasSubstr;

std::string Message(const std::string& text) {
  try {
    ParseDevice(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ParseDeviceTest, KnowsTheCpu) { EXPECT_EQ(ParseDevice("cpu"), c10::Device(c10::kCPU)); }

TEST(ParseDeviceTest, RefusesOtherNames) {
  for (const char* text :
       {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0 ", "cuda:1000", "CPU"}) {
    EXPECT_THAT(Message(text), HasSubstr(std::string("--device is '") + text + "'")) << text;
    EXPECT_THAT(Message(text), HasSubstr("cuda:N")) << text;
  }
}

TEST(ParseDeviceTest, CudaNeedsCuda) {
  if (at::hasCUDA()) {
    EXPECT_EQ(ParseDevice("cuda"), c10::Device(c10::kCUDA, 0));
    EXPECT_THAT(Message("cuda:99"), HasSubstr("or cpu"));
  } else {
    EXPECT_THAT(Message("cuda:0"), HasSubstr("expected cpu, because this"));
  }
}

}  // namespace
}  // namespace aim
