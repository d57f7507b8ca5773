#include "aim/kernels/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "kernels/attention_loops.h"

namespace aim {
namespace {

struct AttentionCase {
  int64_t batch, heads, queries, keys, width;
};

// [B, heads, N, head_dim] as projections give it: heads next to each other in a row.
at::Tensor Random(int64_t batch, int64_t heads, int64_t length, int64_t width) {
  return at::randn({batch, length, heads, width}).transpose(1, 2);
}

// In double precision, by the definition.
at::Tensor Reference(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const at::Tensor& bias) {
  at::Tensor scores = at::matmul(query.to(at::kDouble), key.to(at::kDouble).transpose(2, 3)) /
                      std::sqrt(static_cast<double>(query.size(3)));
  if (bias.defined()) scores = scores + bias.to(at::kDouble).unsqueeze(1).unsqueeze(1);
  const at::Tensor out = at::matmul(at::softmax(scores, -1), value.to(at::kDouble));
  return out.transpose(1, 2).flatten(2);
}

double Difference(const at::Tensor& got, const at::Tensor& expected) {
  EXPECT_EQ(got.sizes(), expected.sizes());
  return (got.to(at::kDouble) - expected).abs().max().item<double>();
}

class AttentionTest : public ::testing::TestWithParam<AttentionCase> {
 protected:
  void SetUp() override {
    at::manual_seed(3);
    const AttentionCase& c = GetParam();
    query_ = Random(c.batch, c.heads, c.queries, c.width);
    key_ = Random(c.batch, c.heads, c.keys, c.width);
    value_ = Random(c.batch, c.heads, c.keys, c.width);
  }

  at::Tensor query_, key_, value_;
};

TEST_P(AttentionTest, FollowsTheDefinition) {
  EXPECT_LT(Difference(Attend(query_, key_, value_, {}), Reference(query_, key_, value_, {})),
            2e-6);
}

TEST_P(AttentionTest, AddsTheBiasOfEachKey) {
  const at::Tensor bias = at::randn({GetParam().batch, GetParam().keys}) * 3;
  // The last quarter is not there.
  bias.narrow(1, bias.size(1) - bias.size(1) / 4, bias.size(1) / 4)
      .fill_(-std::numeric_limits<float>::infinity());
  EXPECT_LT(Difference(Attend(query_, key_, value_, bias), Reference(query_, key_, value_, bias)),
            2e-6);
}

// Scores of hundreds, where few keys count, and of a million.
TEST_P(AttentionTest, SurvivesLargeScores) {
  EXPECT_LT(
      Difference(Attend(query_ * 100, key_, value_, {}), Reference(query_ * 100, key_, value_, {})),
      2e-3);
  EXPECT_TRUE(Attend(query_ * 1e6, key_, value_, {}).isfinite().all().item<bool>());
}

// Of the kernel; ATen's attention loses a NaN score of a single key on processors without AVX-512.
TEST_P(AttentionTest, NanStaysNan) {
  if (!rows::HasAttentionKernel()) GTEST_SKIP() << "no AVX-512: ATen's attention runs";
  query_[0][0][GetParam().queries - 1][0] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor got = Attend(query_, key_, value_, {});
  EXPECT_TRUE(
      got[0][GetParam().queries - 1].narrow(0, 0, GetParam().width).isnan().all().item<bool>());
  EXPECT_EQ(got.isnan().sum().item<int64_t>(), GetParam().width);
}

// Sizes around the kernel's tiles of 48 queries, runs of 384 and blocks of 128 keys.
INSTANTIATE_TEST_SUITE_P(
    Sizes, AttentionTest,
    ::testing::Values(AttentionCase{1, 1, 1, 1, 8}, AttentionCase{2, 3, 47, 127, 16},
                      AttentionCase{1, 2, 48, 128, 64}, AttentionCase{2, 2, 49, 129, 64},
                      AttentionCase{1, 2, 385, 300, 128}, AttentionCase{1, 4, 800, 21, 40}));

TEST(AttentionTest, ThreadsChangeNothing) {
  at::manual_seed(5);
  const at::Tensor x = Random(1, 2, 500, 64);
  const int threads = at::get_num_threads();
  const at::Tensor expected = Attend(x, x, x, {});
  for (const int other : {1, 3, 8}) {
    at::set_num_threads(other);
    EXPECT_TRUE(Attend(x, x, x, {}).equal(expected)) << other << " threads";
  }
  at::set_num_threads(threads);
}

// Widths and types that the kernel does not take go to ATen and give the same.
TEST(AttentionTest, OtherWidthsAndTypes) {
  at::manual_seed(6);
  const at::Tensor odd = Random(1, 2, 50, 20);
  EXPECT_LT(Difference(Attend(odd, odd, odd, {}), Reference(odd, odd, odd, {})), 2e-6);
  const at::Tensor half = Random(1, 2, 50, 64).to(at::kBFloat16);
  const at::Tensor bias = at::randn({1, 50});
  EXPECT_EQ(Attend(half, half, half, bias).scalar_type(), at::kBFloat16);
  EXPECT_LT(Difference(Attend(half, half, half, bias), Reference(half, half, half, bias)), 0.03);
}

TEST(AttentionTest, NoQueriesAndNoKeys) {
  const at::Tensor some = at::ones({1, 2, 3, 64}), none = at::ones({1, 2, 0, 64});
  EXPECT_EQ(Attend(none, some, some, {}).sizes(), at::IntArrayRef({1, 0, 128}));
  const at::Tensor expected = AttendPlain(some, none, none, {});
  EXPECT_TRUE(at::allclose(Attend(some, none, none, {}), expected, 0, 0, /*equal_nan=*/true));
}

TEST(AttentionTest, GradientsFlow) {
  at::manual_seed(7);
  const at::Tensor x = Random(1, 2, 50, 64).clone().set_requires_grad(true);
  const at::Tensor out = Attend(x, x, x, {});
  const at::Tensor gradient = torch::autograd::grad({out.square().sum()}, {x})[0];
  EXPECT_GT(gradient.abs().max().item<double>(), 0.0);
  EXPECT_LT(Difference(out, Reference(x.detach(), x.detach(), x.detach(), {})), 2e-6);
}

}  // namespace
}  // namespace aim
