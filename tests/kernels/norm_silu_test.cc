#include "aim/kernels/norm_silu.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

namespace aim {
namespace {

TEST(NormSiluTest, ZerosStayZeros) {
  const at::Tensor x = at::zeros({1, 1, 1, 2, 8});
  EXPECT_EQ(NormSiluPlain(x, at::ones({8})).abs().max().item<float>(), 0.0f);
}

// The path of this device, into frames of a larger tensor, equals the formula.
TEST(NormSiluTest, IntoFramesOfALargerTensor) {
  const at::Tensor x = at::randn({2, 3, 4, 5, 24}, at::make_generator<at::CPUGeneratorImpl>(1));
  const at::Tensor gamma = at::linspace(0.5, 1.5, 24);
  const at::Tensor larger = at::full({2, 5, 4, 5, 24}, 7.0f);
  NormSiluInto(x, gamma, larger.narrow(1, 2, 3));
  EXPECT_TRUE(at::allclose(larger.narrow(1, 2, 3), NormSiluPlain(x, gamma), 1e-5, 1e-6));
  EXPECT_TRUE((larger.narrow(1, 0, 2) == 7).all().item<bool>());
}

}  // namespace
}  // namespace aim
