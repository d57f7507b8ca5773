#include "aim/kernels/norm_silu.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aim/kernels/convolution.h"

namespace aim {
namespace {

TEST(NormSiluTest, ZerosStayZeros) {
  const at::Tensor x = at::zeros({1, 1, 1, 2, 8});
  EXPECT_EQ(NormSiluPlain(x, {}, at::ones({8})).abs().max().item<float>(), 0.0f);
}

// The path of this device, into frames of a larger tensor, equals the formula, with a bias and
// without.
TEST(NormSiluTest, IntoFramesOfALargerTensor) {
  const at::Tensor x = at::randn({2, 3, 4, 5, 24}, at::make_generator<at::CPUGeneratorImpl>(1));
  const at::Tensor gamma = at::linspace(0.5, 1.5, 24);
  for (const at::Tensor& bias : {at::Tensor(), at::linspace(-1, 2, 24)}) {
    const at::Tensor larger = at::full({2, 5, 4, 5, 24}, 7.0f);
    NormSiluInto(x, bias, gamma, larger.narrow(1, 2, 3));
    const at::Tensor sum = bias.defined() ? x + bias : x;
    const at::Tensor norm = sum / sum.norm(2, {-1}, true) * std::sqrt(24.0) * gamma;
    EXPECT_TRUE(at::allclose(larger.narrow(1, 2, 3), at::silu(norm), 1e-5, 1e-6));
    EXPECT_TRUE(at::equal(NormSiluPlain(x, bias, gamma), NormSiluPlain(sum, {}, gamma)));
    EXPECT_TRUE((larger.narrow(1, 0, 2) == 7).all().item<bool>());
  }
}

// A convolution, what it left open, and what is added to it are the sum of all, whichever form.
TEST(ConvolutionTest, TheOpenBiasIsAddedBehindIt) {
  const auto random = [](at::IntArrayRef shape, uint64_t seed) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
  };
  for (const int64_t channels : {8, 32}) {
    const at::Tensor x = random({1, 4, 5, 6, channels}, 2);
    const at::Tensor weight = random({channels, channels, 3, 3, 3}, 3);
    const at::Tensor bias = random({channels}, 4);
    const ConvWeights conv = PrepareConv(weight, bias);
    EXPECT_EQ(conv.is_winograd, channels == 32);
    const at::Tensor result = CausalConv(x, conv), other = random(result.sizes(), 5);
    AddTo(result, conv, other);
    const at::Tensor expected =
        at::conv3d(x.permute({0, 4, 1, 2, 3}), weight, bias, 1, at::IntArrayRef({0, 1, 1}))
            .permute({0, 2, 3, 4, 1}) +
        other;
    EXPECT_TRUE(at::allclose(result, expected, 1e-4, 1e-3)) << channels;
  }
}

}  // namespace
}  // namespace aim
