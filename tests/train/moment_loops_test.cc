#include "train/moment_loops.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/relative_error.h"

namespace aim {
namespace {

using testing::RelativeError;

constexpr int64_t kCount = 1003;  // no multiple of a vector

moments::AdamStep Step() {
  return {.gradient_scale = 0.5F,
          .beta1 = 0.9F,
          .beta2 = 0.99F,
          .keep = 0.999F,
          .rate = 1e-2F,
          .inverse_root = 1.3F,
          .epsilon = 1e-8F};
}

uint16_t* Bits(const at::Tensor& moment) {
  return reinterpret_cast<uint16_t*>(moment.data_ptr<at::BFloat16>());
}

struct Weight {
  at::Tensor gradient, value, m, v;
};

Weight RandomWeight(at::ScalarType moments) {
  at::manual_seed(4);
  return {at::randn({kCount}), at::randn({kCount}), (0.1 * at::randn({kCount})).to(moments),
          (0.1 * at::rand({kCount})).to(moments)};
}

// The formulas in float64.
Weight Expected(const Weight& before) {
  const moments::AdamStep step = Step();
  const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
  const at::Tensor g = step.gradient_scale * wide(before.gradient);
  Weight after;
  after.m = wide(before.m) + (1.0F - step.beta1) * (g - wide(before.m));
  after.v = step.beta2 * wide(before.v) + (1.0F - step.beta2) * g * g;
  after.value = step.keep * wide(before.value) -
                step.rate * after.m / (after.v.sqrt() * step.inverse_root + step.epsilon);
  return after;
}

TEST(MomentLoops, AdamIsItsFormula) {
  const Weight weight = RandomWeight(at::kFloat);
  const Weight expected = Expected(weight);
  moments::Adam(Step(), weight.gradient.data_ptr<float>(), weight.value.data_ptr<float>(),
                weight.m.data_ptr<float>(), weight.v.data_ptr<float>(), kCount);
  EXPECT_LE(RelativeError(weight.value.to(at::kDouble), expected.value), 1e-6);
  EXPECT_LE(RelativeError(weight.m.to(at::kDouble), expected.m), 1e-6);
  EXPECT_LE(RelativeError(weight.v.to(at::kDouble), expected.v), 1e-6);
}

// The weight moves by moments that are not yet rounded; what is stored is one of both neighbours.
TEST(MomentLoops, AdamInBf16StoresANeighbour) {
  const Weight weight = RandomWeight(at::kBFloat16);
  const Weight expected = Expected(weight);
  moments::Adam(Step(), weight.gradient.data_ptr<float>(), weight.value.data_ptr<float>(),
                Bits(weight.m), Bits(weight.v), kCount, 17);
  EXPECT_LE(RelativeError(weight.value.to(at::kDouble), expected.value), 1e-6);
  const auto is_near = [](const at::Tensor& stored, const at::Tensor& exact) {
    const at::Tensor error = (stored.to(at::kDouble) - exact).abs();
    return (error <= exact.abs() / 128).all().item<bool>();
  };
  EXPECT_TRUE(is_near(weight.m, expected.m));
  EXPECT_TRUE(is_near(weight.v, expected.v));
  EXPECT_FALSE(at::equal(weight.v, expected.v.to(at::kBFloat16)));  // not to the nearest
}

// v = 1 that shrinks by 1/1000 a step stays 1 when it is rounded to the nearest: its neighbour is
// 1/256 away. At random the mean of many goes the way of the exact one.
TEST(MomentLoops, SmallChangesOfASecondMomentDoNotVanish) {
  constexpr int64_t kMany = 20000;
  const at::Tensor zero = at::zeros({kMany}), weight = at::zeros({kMany});
  const at::Tensor m = at::zeros({kMany}, at::kBFloat16), v = at::ones({kMany}, at::kBFloat16);
  moments::AdamStep step = Step();
  step.beta2 = 0.999F;
  for (uint32_t i = 0; i < 500; ++i) {
    moments::Adam(step, zero.data_ptr<float>(), weight.data_ptr<float>(), Bits(m), Bits(v), kMany,
                  i);
  }
  EXPECT_NEAR(v.to(at::kDouble).mean().item<double>(), std::pow(0.999, 500), 2e-3);
  EXPECT_EQ((at::ones({1}, at::kBFloat16) * 0.999).item<float>(), 1);
}

// The same of a negative first moment: away from zero and towards it are drawn alike.
TEST(MomentLoops, SmallChangesOfANegativeMomentDoNotVanish) {
  constexpr int64_t kMany = 20000;
  const at::Tensor zero = at::zeros({kMany}), weight = at::zeros({kMany});
  const at::Tensor m = -at::ones({kMany}, at::kBFloat16), v = at::ones({kMany}, at::kBFloat16);
  moments::AdamStep step = Step();
  step.beta1 = 0.999F;
  for (uint32_t i = 0; i < 500; ++i) {
    moments::Adam(step, zero.data_ptr<float>(), weight.data_ptr<float>(), Bits(m), Bits(v), kMany,
                  i);
  }
  EXPECT_NEAR(m.to(at::kDouble).mean().item<double>(), -std::pow(0.999, 500), 2e-3);
}

TEST(MomentLoops, TheDrawIsOfKeyAndElement) {
  const auto rounded = [](uint32_t key) {
    const Weight weight = RandomWeight(at::kBFloat16);
    moments::Adam(Step(), weight.gradient.data_ptr<float>(), weight.value.data_ptr<float>(),
                  Bits(weight.m), Bits(weight.v), kCount, key);
    return weight.v;
  };
  EXPECT_TRUE(at::equal(rounded(3), rounded(3)));
  EXPECT_FALSE(at::equal(rounded(3), rounded(4)));
}

TEST(MomentLoops, WhatIsNotFiniteStaysSo) {
  const float infinity = std::numeric_limits<float>::infinity();
  at::Tensor gradient = at::tensor({infinity, std::numeric_limits<float>::quiet_NaN()});
  const at::Tensor m = at::zeros({2}, at::kBFloat16);
  for (uint32_t key = 0; key < 50; ++key) {
    m.zero_();
    moments::Momentum({.gradient_scale = 1, .factor = 0.5F}, gradient.clone().data_ptr<float>(),
                      Bits(m), 2, key);
    EXPECT_EQ(m[0].item<float>(), infinity);
    EXPECT_TRUE(std::isnan(m[1].item<float>()));
  }
}

// m = factor m + g, and the gradient becomes g + factor m.
TEST(MomentLoops, MomentumIsItsFormula) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Weight weight = RandomWeight(dtype);
    const at::Tensor g = 0.5 * weight.gradient;
    const at::Tensor m = 0.95F * weight.m.to(at::kFloat) + g;
    const moments::MomentumStep step{.gradient_scale = 0.5F, .factor = 0.95F};
    float* gradient = weight.gradient.data_ptr<float>();
    if (dtype == at::kFloat) {
      moments::Momentum(step, gradient, weight.m.data_ptr<float>(), kCount);
    } else {
      moments::Momentum(step, gradient, Bits(weight.m), kCount, 9);
    }
    EXPECT_LE(RelativeError(weight.gradient, g + 0.95F * m), 1e-6);
    EXPECT_LE(RelativeError(weight.m.to(at::kFloat), m), dtype == at::kFloat ? 1e-6 : 1.0 / 128);
  }
}

}  // namespace
}  // namespace aim
