#include "aim/diffusion/guidance_memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace aim {
namespace {

// By hand: 6 * 3072 * 4 + (3072 + 2 * 14336) * 2 bytes a token.
TEST(ForwardBytesTest, OfTheReleasedNetwork) {
  DitOptions options;
  options.dim = 3072;
  options.ffn_dim = 14336;
  EXPECT_EQ(ForwardBytes(options, 11264, 1, at::kBFloat16), int64_t{11264} * 137216);  // 1.44 GiB
  EXPECT_EQ(ForwardBytes(options, 11264, 3, at::kBFloat16), int64_t{11264} * 137216 * 3);
  EXPECT_EQ(ForwardBytes(options, 11264, 1, at::kFloat), int64_t{11264} * (73728 + 126976));
}

TEST(ForwardBytesTest, ANarrowFeedForwardLeavesThePeakToAttention) {
  DitOptions options;
  options.dim = 24;
  options.ffn_dim = 8;
  EXPECT_EQ(ForwardBytes(options, 10, 1, at::kFloat), 10 * (6 * 24 * 4 + 6 * 24 * 4));
}

TEST(FittingGuidanceModeTest, OneBatchWhereItTakesAtMostFourFifths) {
  EXPECT_EQ(FittingGuidanceMode(80, 100), GuidanceMode::kBatched);
  EXPECT_EQ(FittingGuidanceMode(81, 100), GuidanceMode::kSequential);
  EXPECT_EQ(FittingGuidanceMode(1, 0), GuidanceMode::kSequential);
  EXPECT_EQ(FittingGuidanceMode(int64_t{1} << 40, int64_t{1} << 41), GuidanceMode::kBatched);
}

TEST(FreeMemoryBytesTest, OfTheCpuIsPlausible) {
  const int64_t free = FreeMemoryBytes(c10::Device(c10::kCPU));
  EXPECT_GT(free, int64_t{1} << 20);
  EXPECT_LT(free, int64_t{1} << 50);
}

// What is taken and given back counts as free, though the allocator keeps it.
TEST(FreeMemoryBytesTest, CountsWhatTheAllocatorOfADeviceKeeps) {
  if (!at::hasCUDA()) GTEST_SKIP() << "needs a CUDA device";
  const c10::Device device(c10::kCUDA, 0);
  constexpr int64_t kBytes = int64_t{1} << 28;
  at::empty({1}, at::TensorOptions().device(device));
  const int64_t before = FreeMemoryBytes(device);
  at::Tensor taken = at::empty({kBytes}, at::TensorOptions().device(device).dtype(at::kByte));
  EXPECT_NEAR(static_cast<double>(before - FreeMemoryBytes(device)), kBytes, kBytes / 8.0);
  taken.reset();
  EXPECT_NEAR(static_cast<double>(before - FreeMemoryBytes(device)), 0, kBytes / 8.0);
}

}  // namespace
}  // namespace aim
