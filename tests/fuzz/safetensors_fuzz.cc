#include <cstddef>
#include <cstdint>

#include "fuzz/weight_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  aim::testing::FuzzSafetensors({reinterpret_cast<const std::byte*>(data), size_bytes});
  return 0;
}
