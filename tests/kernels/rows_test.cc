#include "aim/kernels/rows.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <vector>

#include "aim/kernels/rows_plain.h"

namespace aim {
namespace {

using Inputs = std::vector<at::Tensor>;
using Op = std::function<at::Tensor(const Inputs&)>;

double RelativeDifference(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kFloat) - b.to(at::kFloat)).abs().max() /
          (b.to(at::kFloat).abs().max() + 1e-12))
      .item<double>();
}

// Forward, with and without gradients, and every gradient of the fast op equal those of the plain
// one.
void ExpectSame(const Op& fast, const Op& plain, const Inputs& inputs, double tolerance) {
  const auto run = [&](const Op& op) {
    Inputs leaves;
    for (const at::Tensor& input : inputs) leaves.push_back(input.clone().set_requires_grad(true));
    const at::Tensor out = op(leaves);
    const at::Tensor weight = at::linspace(-1, 2, out.numel()).view(out.sizes());
    Inputs results = torch::autograd::grad({(out.to(at::kFloat) * weight).sum()}, leaves);
    results.push_back(out.detach());
    const c10::InferenceMode no_gradients;
    results.push_back(op(inputs));
    return results;
  };
  const Inputs got = run(fast);
  const Inputs expected = run(plain);
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_LE(RelativeDifference(got[i], expected[i]), tolerance) << "result " << i;
}

struct RowCase {
  at::ScalarType dtype;
  double tolerance;
};

class RowsTest : public ::testing::TestWithParam<RowCase> {
 protected:
  void SetUp() override { at::manual_seed(11); }
  at::Tensor Random(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
    return at::randn(shape).to(dtype);
  }
};

TEST_P(RowsTest, ModulatedNorm) {
  const auto [dtype, tolerance] = GetParam();
  const auto call = [dtype = dtype](auto op) {
    return [op, dtype](const Inputs& in) { return op(in[0], in[1], in[2], in[3], dtype, 1e-6); };
  };
  ExpectSame(call(ModulatedNorm), call(ModulatedNormPlain),
             {Random({2, 6, 40}) * 3 + 1, Random({2, 3, 40}), Random({2, 3, 40}),
              Random({2, 6, 40}, dtype)},
             tolerance);
  // Runs of two tokens under one modulation, of three under one camera.
  ExpectSame(
      call(ModulatedNorm), call(ModulatedNormPlain),
      {Random({2, 6, 40}), Random({2, 3, 40}), Random({2, 3, 40}), Random({2, 2, 40}, dtype)},
      tolerance);
}

// One camera vector for several tokens, as for all of them its own copy.
TEST_P(RowsTest, ModulatedNormWithSharedCamera) {
  const auto [dtype, tolerance] = GetParam();
  const auto shared = [dtype = dtype](const Inputs& in) {
    return ModulatedNorm(in[0], in[1], in[2], in[3], dtype, 1e-6);
  };
  const auto copied = [dtype = dtype](const Inputs& in) {
    return ModulatedNormPlain(in[0], in[1], in[2], in[3].repeat_interleave(3, 1), dtype, 1e-6);
  };
  ExpectSame(
      shared, copied,
      {Random({2, 6, 40}), Random({2, 1, 40}), Random({2, 1, 40}), Random({2, 2, 40}, dtype)},
      tolerance);
}

TEST_P(RowsTest, GatedAdd) {
  const auto [dtype, tolerance] = GetParam();
  const auto call = [](auto op) {
    return [op](const Inputs& in) { return op(in[0], in[1], in[2]); };
  };
  ExpectSame(call(GatedAdd), call(GatedAddPlain),
             {Random({2, 6, 40}), Random({2, 6, 40}, dtype), Random({2, 2, 40})}, tolerance);
}

TEST_P(RowsTest, SumWithoutAGate) {
  const auto [dtype, tolerance] = GetParam();
  const auto call = [](auto op) {
    return [op](const Inputs& in) { return op(in[0], in[1], at::Tensor()); };
  };
  ExpectSame(call(GatedAdd), call(GatedAddPlain), {Random({2, 6, 40}), Random({2, 6, 40}, dtype)},
             tolerance);
}

// Both results, and gradients that come through both. Runs of tokens of three lengths.
TEST_P(RowsTest, GatedAddNorm) {
  const auto [dtype, tolerance] = GetParam();
  const auto call = [dtype = dtype](auto op) {
    return [op, dtype](const Inputs& in) {
      const ResidualAndNorm result = op(in[0], in[1], in[2], in[3], in[4], in[5], dtype, 1e-6);
      return at::stack({result.residual.to(at::kFloat), result.normed.to(at::kFloat)});
    };
  };
  ExpectSame(call(GatedAddNorm), call(GatedAddNormPlain),
             {Random({2, 6, 40}), Random({2, 6, 40}, dtype), Random({2, 2, 40}), Random({2, 3, 40}),
              Random({2, 3, 40}), Random({2, 1, 40}, dtype)},
             tolerance);
}

TEST_P(RowsTest, GatedAddNormWithoutGateAndCamera) {
  const auto [dtype, tolerance] = GetParam();
  const auto call = [dtype = dtype](auto op) {
    return [op, dtype](const Inputs& in) {
      const ResidualAndNorm result = op(in[0], in[1], {}, in[2], in[3], {}, dtype, 1e-6);
      return at::stack({result.residual.to(at::kFloat), result.normed.to(at::kFloat)});
    };
  };
  ExpectSame(
      call(GatedAddNorm), call(GatedAddNormPlain),
      {Random({2, 6, 40}), Random({2, 6, 40}, dtype), Random({2, 3, 40}), Random({2, 3, 40})},
      tolerance);
}

// The one pass computes what the two do, bit for bit.
TEST_P(RowsTest, GatedAddNormIsBothOperations) {
  const auto dtype = GetParam().dtype;
  for (const at::ScalarType residual_dtype : {at::kFloat, dtype}) {
    const at::Tensor x = Random({2, 6, 40}, residual_dtype), y = Random({2, 6, 40}, dtype);
    const at::Tensor gate = Random({2, 2, 40}), shift = Random({2, 3, 40});
    const at::Tensor scale = Random({2, 3, 40}), camera = Random({2, 6, 40}, dtype);
    const ResidualAndNorm both = GatedAddNorm(x, y, gate, shift, scale, camera, dtype, 1e-6);
    const at::Tensor residual = GatedAdd(x, y, gate);
    EXPECT_TRUE(at::equal(both.residual, residual));
    EXPECT_TRUE(at::equal(both.normed, ModulatedNorm(residual, shift, scale, camera, dtype, 1e-6)));
  }
}

TEST_P(RowsTest, NormRope) {
  const auto [dtype, tolerance] = GetParam();
  const at::Tensor angle = Random({6, 10});
  const auto call = [&](auto op) {
    return [op, angle](const Inputs& in) {
      return op(in[0], in[1], angle.cos(), angle.sin(), 2, 1e-6);
    };
  };
  ExpectSame(call(NormRope), call(NormRopePlain), {Random({3, 6, 40}, dtype), Random({40})},
             tolerance);
}

TEST_P(RowsTest, NormWithoutRotation) {
  const auto [dtype, tolerance] = GetParam();
  const auto call = [](auto op) {
    return [op](const Inputs& in) { return op(in[0], in[1], at::Tensor(), at::Tensor(), 2, 1e-6); };
  };
  ExpectSame(call(NormRope), call(NormRopePlain), {Random({3, 7, 36}, dtype), Random({36})},
             tolerance);
}

TEST_P(RowsTest, GeluTanh) {
  const auto [dtype, tolerance] = GetParam();
  ExpectSame([](const Inputs& in) { return GeluTanh(in[0]); },
             [](const Inputs& in) { return GeluTanhPlain(in[0]); }, {Random({3, 7, 36}, dtype) * 4},
             tolerance);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, RowsTest,
                         ::testing::Values(RowCase{at::kFloat, 2e-6},
                                           RowCase{at::kBFloat16, 2e-2}));

}  // namespace
}  // namespace aim
