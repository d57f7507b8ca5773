#include "aim/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "aim/base/error.h"

namespace aim {
namespace {

// Origin: a second implementation in Python, checked against the published first outputs of
// xoshiro256++ from the state 1, 2, 3, 4.
TEST(RngTest, DrawsAreTheSameEverywhere) {
  Rng rng(7);
  EXPECT_EQ(rng.Next(), 1021219803524665661u);
  EXPECT_EQ(rng.Next(), 3174977118032272916u);
  EXPECT_EQ(rng.Next(), 13236943193235544178u);
  EXPECT_EQ(Rng(7).Derive(3, "noise").Next(), 4170257233931629687u);
  EXPECT_EQ(Rng(7).Uniform(), 0.05536043647833311);
}

TEST(RngTest, HashesAreTheSameEverywhere) {
  EXPECT_EQ(StableHash(""), 14087677454934409008u);
  EXPECT_EQ(StableHash("reach"), 2861027593115101825u);
  EXPECT_EQ(StableHash("reach", 1), 8264329402267487627u);
}

TEST(RngTest, DerivedStreamsDependOnIndexAndPurposeOnly) {
  const Rng rng(7);
  Rng advanced(7);
  for (int i = 0; i < 10; ++i) advanced.Next();
  EXPECT_EQ(rng.Derive(3, "noise").Next(), advanced.Derive(3, "noise").Next());
  std::set<uint64_t> firsts;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (uint64_t index = 0; index < 100; ++index) {
      for (const char* purpose : {"noise", "task", ""}) {
        firsts.insert(Rng(seed).Derive(index, purpose).Next());
      }
    }
  }
  EXPECT_EQ(firsts.size(), 3000u);
}

// Neighbouring indices must not give related streams.
TEST(RngTest, DerivedStreamsAreUncorrelated) {
  const Rng rng(11);
  constexpr int kDraws = 2000;
  for (uint64_t index = 0; index < 5; ++index) {
    Rng a = rng.Derive(index, "x");
    Rng b = rng.Derive(index + 1, "x");
    double product = 0;
    for (int i = 0; i < kDraws; ++i) product += a.Normal() * b.Normal();
    EXPECT_LT(std::abs(product / kDraws), 4.0 / std::sqrt(kDraws)) << index;
  }
}

TEST(RngTest, UniformStaysInItsInterval) {
  Rng rng(1);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = rng.Uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    const double between = rng.Uniform(-3, 5);
    ASSERT_GE(between, -3.0);
    ASSERT_LT(between, 5.0);
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.012);  // four standard errors
}

TEST(RngTest, UniformIntReachesEveryValueEvenly) {
  Rng rng(2);
  std::vector<int> counts(7);
  for (int i = 0; i < 7000; ++i) ++counts.at(static_cast<size_t>(rng.UniformInt(7)));
  for (const int count : counts) EXPECT_NEAR(count, 1000, 120);
  EXPECT_THROW(rng.UniformInt(0), InternalError);
}

TEST(RngTest, NormalHasMeanZeroAndVarianceOne) {
  Rng rng(3);
  constexpr int kDraws = 20000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = rng.Normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.03);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.05);
}

}  // namespace
}  // namespace aim
