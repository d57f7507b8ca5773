#include "aim/base/memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "aim/base/error.h"
#include "support/throws.h"

namespace aim {
namespace {

TEST(Memory, IsReadAsText) {
  EXPECT_EQ(MemoryText(0), "0 MiB");
  EXPECT_EQ(MemoryText(int64_t{512} << 20), "512 MiB");
  EXPECT_EQ(MemoryText(int64_t{12901} << 20), "12.6 GiB");
}

TEST(Memory, SomeIsFree) {
  EXPECT_GT(AvailableMemoryBytes(), int64_t{1} << 20);
  EXPECT_LT(AvailableMemoryBytes(), int64_t{1} << 50);
}

TEST(Memory, TooLittleIsSaidBeforeWorkStarts) {
  CheckMemory(1 << 20, "dit.safetensors", "");
  testing::ExpectThrowsWith<ConfigError>(
      [] { CheckMemory(int64_t{1} << 60, "dit.safetensors", "add --dtype bf16"); },
      {"dit.safetensors", "1073741824.0 GiB", "free", "add --dtype bf16"});
}

}  // namespace
}  // namespace aim
