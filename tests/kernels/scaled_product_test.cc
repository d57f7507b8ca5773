#include "aim/kernels/scaled_product.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "aim/kernels/rows.h"
#include "aim/kernels/scaled_rows.h"

namespace aim {
namespace {

constexpr double kLargest = 448;
// Half of the last of a number's four bits, and of the smallest number that there is.
constexpr double kRelative = 0x1p-4, kSmallest = 0x1p-10;

struct RowsCase {
  const char* name;
  double scale;  // of normal numbers
  at::ScalarType dtype;
};

class QuantiseRowsTest : public ::testing::TestWithParam<RowsCase> {
 protected:
  void SetUp() override {
    at::manual_seed(4);
    x_ = (at::randn({3, 7, 48}) * GetParam().scale).to(GetParam().dtype);
  }

  at::Tensor x_;
};

// Every number to half of its last bit, or of the smallest number of its row.
TEST_P(QuantiseRowsTest, EveryNumberIsTheNearest) {
  const ScaledRows rows = QuantiseRows(x_);
  EXPECT_EQ(rows.values.scalar_type(), at::kFloat8_e4m3fn);
  EXPECT_EQ(rows.values.sizes(), x_.sizes());
  EXPECT_EQ(rows.scale.sizes(), at::IntArrayRef({3, 7}));
  const at::Tensor exact = x_.to(at::kDouble);
  const at::Tensor got =
      rows.values.to(at::kFloat).to(at::kDouble) * rows.scale.to(at::kDouble).unsqueeze(-1);
  const at::Tensor bound =
      at::maximum(exact.abs() * kRelative, kSmallest * rows.scale.to(at::kDouble).unsqueeze(-1)) *
      (1 + 1e-5);
  EXPECT_TRUE(((got - exact).abs() <= bound).all().item<bool>());
  EXPECT_TRUE(at::equal(Dequantise(rows), rows.values.to(at::kFloat) * rows.scale.unsqueeze(-1)));
}

// The largest number of a row is exact, and is the type's largest.
TEST_P(QuantiseRowsTest, TheLargestNumberFillsTheType) {
  const ScaledRows rows = QuantiseRows(x_);
  EXPECT_TRUE((rows.values.to(at::kFloat).abs().amax(-1) == kLargest).all().item<bool>());
  const at::Tensor largest = x_.to(at::kFloat).abs().amax(-1);
  EXPECT_TRUE(at::allclose(Dequantise(rows).abs().amax(-1), largest, 1e-6, 0));
}

// Another factor for each row changes its scale alone.
TEST_P(QuantiseRowsTest, ScalingByAPowerOfTwoChangesTheScaleAlone) {
  const ScaledRows rows = QuantiseRows(x_), larger = QuantiseRows(x_ * 8);
  EXPECT_TRUE(at::equal(rows.values.view(at::kByte), larger.values.view(at::kByte)));
  EXPECT_TRUE(at::equal(rows.scale * 8, larger.scale));
}

INSTANTIATE_TEST_SUITE_P(Scales, QuantiseRowsTest,
                         ::testing::Values(RowsCase{"Ordinary", 1, at::kFloat},
                                           RowsCase{"Bfloat16", 1, at::kBFloat16},
                                           RowsCase{"LargerThanTheType", 1e6, at::kFloat},
                                           RowsCase{"Small", 1e-20, at::kFloat}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(QuantiseRowsTest, ZerosStayZeros) {
  const ScaledRows rows = QuantiseRows(at::zeros({2, 16}));
  EXPECT_TRUE((Dequantise(rows) == 0).all().item<bool>());
  EXPECT_TRUE(rows.scale.isfinite().all().item<bool>());
}

// Numbers too small to be divided by: zeros, not infinities.
TEST(QuantiseRowsTest, DenormalRowsBecomeZeros) {
  const ScaledRows rows = QuantiseRows(at::full({1, 16}, 1e-40));
  EXPECT_TRUE((Dequantise(rows) == 0).all().item<bool>());
}

// What is no number is seen in the result, and in no other row.
TEST(QuantiseRowsTest, NanAndInfinityStayInTheirRow) {
  for (const float broken :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const at::Tensor x = at::ones({3, 16});
    x[1][5] = broken;
    const at::Tensor got = Dequantise(QuantiseRows(x));
    EXPECT_TRUE(got[1].isnan().all().item<bool>()) << broken;
    EXPECT_TRUE((got[0] == 1).all().item<bool>());
    EXPECT_TRUE((got[2] == 1).all().item<bool>());
  }
}

// The product of what was quantised, in float64, rounded to bfloat16 once.
TEST(ScaledProductTest, IsThatOfTheQuantisedNumbers) {
  at::manual_seed(5);
  const at::Tensor x = at::randn({2, 5, 64}) * 3, weight = at::randn({32, 64});
  const at::Tensor bias = at::randn({32}).to(at::kBFloat16);
  const ScaledRows left = QuantiseRows(x), right = QuantiseRows(weight);
  const at::Tensor expected =
      at::matmul(Dequantise(left).to(at::kDouble), Dequantise(right).to(at::kDouble).t()) +
      bias.to(at::kDouble);
  const at::Tensor got = ScaledProduct(left, right, bias);
  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_EQ(got.sizes(), at::IntArrayRef({2, 5, 32}));
  EXPECT_TRUE(at::allclose(got.to(at::kDouble), expected, 0x1p-8, 1e-4));
}

// Against the numbers themselves: within what the rounding of each may add, and on average far
// below, as errors of many numbers cancel.
TEST(ScaledProductTest, IsNearThatOfTheNumbers) {
  at::manual_seed(6);
  for (const int64_t inputs : {16, 256, 3072}) {
    const at::Tensor x = at::randn({24, inputs}), weight = at::randn({48, inputs});
    const at::Tensor got =
        ScaledProduct(QuantiseRows(x), QuantiseRows(weight), at::zeros({48}, at::kBFloat16));
    const at::Tensor exact = at::mm(x.to(at::kDouble), weight.to(at::kDouble).t());
    const at::Tensor error = (got.to(at::kDouble) - exact).abs();
    const at::Tensor bound =
        at::mm(x.to(at::kDouble).abs(), weight.to(at::kDouble).abs().t()) * (2.2 * kRelative) +
        1e-3;
    EXPECT_TRUE((error <= bound).all().item<bool>()) << inputs;
    const double relative =
        (error.square().mean().sqrt() / exact.square().mean().sqrt()).item<double>();
    EXPECT_LT(relative, 0.05) << inputs;
    EXPECT_GT(relative, 0.01) << "nothing was rounded";
  }
}

// The operations that quantise what they make equal those that do not, followed by it.
TEST(ScaledRowsTest, AreTheOperationsFollowedByQuantising) {
  at::manual_seed(7);
  const at::Tensor x = at::randn({2, 6, 48}), y = at::randn({2, 6, 48}).to(at::kBFloat16);
  const at::Tensor gate = at::randn({2, 2, 48}), shift = at::randn({2, 3, 48});
  const at::Tensor scale = at::randn({2, 3, 48}), camera = at::randn({2, 2, 48});
  const auto expect_equal = [](const ScaledRows& got, const at::Tensor& rows) {
    const ScaledRows expected = QuantiseRows(rows);
    EXPECT_TRUE(at::equal(got.values.view(at::kByte), expected.values.view(at::kByte)));
    EXPECT_TRUE(at::equal(got.scale, expected.scale));
  };
  expect_equal(ScaledModulatedNorm(x, shift, scale, camera, 1e-6),
               ModulatedNorm(x, shift, scale, camera, at::kFloat, 1e-6));
  for (const at::Tensor& used : {gate, at::Tensor()}) {
    const ResidualAndScaledNorm got = ScaledGatedAddNorm(x, y, used, shift, scale, camera, 1e-6);
    const ResidualAndNorm expected =
        GatedAddNorm(x, y, used, shift, scale, camera, at::kFloat, 1e-6);
    EXPECT_TRUE(at::equal(got.residual, expected.residual));
    expect_equal(got.normed, expected.normed);
  }
  expect_equal(ScaledGeluTanh(y), GeluTanh(y.to(at::kFloat)));
}

}  // namespace
}  // namespace aim
