#include "aim/diffusion/guidance_memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "aim/model/dit_fp8.h"

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

// By hand: keys and values of 30 blocks, 512 rows of 3072 numbers of 2 bytes.
TEST(TextContextBytesTest, OfTheReleasedNetwork) {
  DitOptions options;
  options.dim = 3072;
  options.num_layers = 30;
  EXPECT_EQ(TextContextBytes(options, 512, at::kBFloat16), int64_t{2} * 30 * 512 * 3072 * 2);
}

// Eight bits of the large matrices of the blocks between the first and the last, and their scales.
TEST(NetworkBytesTest, CountsWhatLiesThere) {
  DitOptions options;
  options.dim = 32;
  options.ffn_dim = 64;
  options.num_heads = 2;
  options.num_layers = 3;
  WeightMap weights;
  int64_t numbers = 0;
  for (const auto& [name, shape] : DitWeightShapes(options)) {
    weights[name] = at::zeros(shape, at::kBFloat16);
    numbers += weights[name].numel();
  }
  Dit dit(options, weights, at::kBFloat16);
  EXPECT_EQ(NetworkBytes(dit), 2 * numbers);
  QuantiseWeights(dit);
  const int64_t matrices = 6 * 32 * 32 + 2 * 32 * 64, rows = 6 * 32 + 64 + 32;
  EXPECT_EQ(NetworkBytes(dit), 2 * numbers - matrices + 4 * rows);
}

struct GuidanceRow {
  const char* name;
  GuidanceLoad load;
  GuidanceMode expected;
};

class FittingGuidanceModeTest : public ::testing::TestWithParam<GuidanceRow> {};

TEST_P(FittingGuidanceModeTest, DecidesByMemoryAndDevice) {
  EXPECT_EQ(FittingGuidanceMode(GetParam().load), GetParam().expected);
}

constexpr GuidanceMode kBatched = GuidanceMode::kBatched, kSequential = GuidanceMode::kSequential;
constexpr int64_t kTib = int64_t{1} << 40;

INSTANTIATE_TEST_SUITE_P(
    Table, FittingGuidanceModeTest,
    ::testing::Values(
        GuidanceRow{"FourFifths", {c10::kCPU, 320, 256, 80, 100}, kBatched},
        GuidanceRow{"MoreThanFourFifths", {c10::kCPU, 320, 256, 81, 100}, kSequential},
        GuidanceRow{"NothingFree", {c10::kCPU, 320, 256, 1, 0}, kSequential},
        GuidanceRow{"LargeNumbers", {c10::kCPU, 320, 256, kTib, 2 * kTib}, kBatched},
        GuidanceRow{"ACpuIsNeverFilled", {c10::kCPU, 11264, 3072, 1, 100}, kBatched},
        // The released network: a plan, a sample, and both sides of the limit between them.
        GuidanceRow{"PlanOnAGpu", {c10::kCUDA, 6144, 3072, 1, 100}, kBatched},
        GuidanceRow{"SampleOnAGpu", {c10::kCUDA, 11264, 3072, 1, 100}, kSequential},
        GuidanceRow{"BelowTheLimit", {c10::kCUDA, 8191, 3072, 1, 100}, kBatched},
        GuidanceRow{"AtTheLimit", {c10::kCUDA, 8192, 3072, 1, 100}, kSequential},
        GuidanceRow{"PlanWithoutMemory", {c10::kCUDA, 6144, 3072, 81, 100}, kSequential},
        // The small network needs many more tokens.
        GuidanceRow{"NarrowOnAGpu", {c10::kCUDA, 11264, 256, 1, 100}, kBatched}),
    [](const auto& row) { return std::string(row.param.name); });

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
