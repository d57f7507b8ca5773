#include "kernels/winograd.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <string>

#include "support/relative_error.h"

namespace aim {
namespace {

using testing::RelativeError;

struct ConvCase {
  int64_t batch, frames, height, width, in, out, kernel_frames;
};

at::Tensor RandomInput(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

// The definition, in float64. x [B, T, H, W, I].
at::Tensor Plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::conv3d(x.to(at::kDouble).permute({0, 4, 1, 2, 3}), weight.to(at::kDouble),
                    bias.to(at::kDouble), 1, at::IntArrayRef({0, 1, 1}))
      .permute({0, 2, 3, 4, 1});
}

// Odd sides, one pixel, more tiles and frames than one product takes, widths that no vector fills.
constexpr ConvCase kCases[] = {{1, 3, 8, 8, 32, 32, 3}, {2, 8, 5, 7, 33, 40, 3},
                               {1, 3, 1, 1, 3, 5, 3},   {1, 4, 36, 34, 16, 16, 3},
                               {2, 2, 6, 9, 17, 19, 1}, {1, 12, 3, 2, 8, 8, 3}};

TEST(WinogradTest, EqualsTheDefinition) {
  for (const ConvCase& c : kCases) {
    const at::Tensor x = RandomInput({c.batch, c.frames, c.height, c.width, c.in}, 1);
    const at::Tensor weight = RandomInput({c.out, c.in, c.kernel_frames, 3, 3}, 2);
    const at::Tensor bias = RandomInput({c.out}, 3);
    const at::Tensor result = WinogradConv(x, WinogradTaps(weight), bias);
    const at::Tensor expected = Plain(x, weight, bias);
    ASSERT_EQ(result.sizes(), expected.sizes());
    EXPECT_LE(RelativeError(result, expected), 2e-6) << c.height << " x " << c.width;
  }
}

TEST(WinogradTest, UpsamplingEqualsTheDefinition) {
  for (const ConvCase& c : kCases) {
    const at::Tensor x = RandomInput({c.batch, c.frames, c.height, c.width, c.in}, 4);
    const at::Tensor weight = RandomInput({c.out, c.in, 1, 3, 3}, 5);
    const at::Tensor bias = RandomInput({c.out}, 6);
    const at::Tensor result = WinogradUpsampleConv(x, WinogradTaps(weight), bias);
    const at::Tensor expected =
        Plain(x.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, bias);
    ASSERT_EQ(result.sizes(), expected.sizes());
    EXPECT_LE(RelativeError(result, expected), 2e-6) << c.height << " x " << c.width;
  }
}

}  // namespace
}  // namespace aim
