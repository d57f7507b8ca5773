#include "aim/tensor/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "aim/base/error.h"

namespace aim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class Call>
std::string Message(Call call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

WeightMap SomeWeights() {
  return {{"a.weight", at::arange(6, at::kFloat).reshape({2, 3})},
          {"a.bias", at::ones({2})},
          {"ids", at::arange(3, at::kLong)}};
}

TEST(CheckWeightsTest, ListsEverythingAtOnce) {
  const ShapeMap exact = {{"a.weight", {2, 3}}, {"a.bias", {2}}, {"ids", {3}}};
  CheckWeights(SomeWeights(), exact, "dit.safetensors");

  const ShapeMap other = {{"a.weight", {3, 2}}, {"b.weight", {4}}, {"b.bias", {}}, {"ids", {3}}};
  EXPECT_THAT(Message([&] { CheckWeights(SomeWeights(), other, "dit.safetensors"); }),
              AllOf(HasSubstr("dit.safetensors is missing 2 (b.bias [], b.weight [4])"),
                    HasSubstr("holding 1 unknown (a.bias [2])"),
                    HasSubstr("holding 1 of wrong shape (a.weight is [2, 3] instead of [3, 2])")));
}

TEST(CheckFiniteTest, NamesTheWeights) {
  WeightMap weights = SomeWeights();
  weights["f8"] = at::ones({3}).to(at::kFloat8_e4m3fn);
  weights["none"] = at::zeros({0});
  CheckFinite(weights, "dit.safetensors");
  weights["a.bias"][1] = std::numeric_limits<float>::quiet_NaN();
  weights["a.weight"][0][2] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Message([&] { CheckFinite(weights, "dit.safetensors"); }),
              HasSubstr("dit.safetensors is holding NaN or Inf in a.bias, a.weight;"));
}

TEST(ConvertWeightsTest, CastsFloatsOnly) {
  const WeightMap weights = SomeWeights();
  const WeightMap halves = ConvertWeights(weights, at::kHalf);
  EXPECT_EQ(halves.at("a.weight").scalar_type(), at::kHalf);
  EXPECT_EQ(halves.at("ids").scalar_type(), at::kLong);
  const WeightMap same = ConvertWeights(weights, at::kFloat);
  EXPECT_TRUE(same.at("a.bias").is_same(weights.at("a.bias")));
}

TEST(ConvertWeightsTest, RefusesOverflow) {
  const WeightMap weights = {{"big", at::full({2}, 1e5)}, {"small", at::ones({2})}};
  EXPECT_THAT(Message([&] { ConvertWeights(weights, at::kHalf); }),
              AllOf(HasSubstr("big"), ::testing::Not(HasSubstr("small"))));
}

TEST(FingerprintTest, SeesNameDtypeShapeAndBytes) {
  const std::string base = Fingerprint(SomeWeights());
  EXPECT_EQ(base.size(), 16u);
  EXPECT_EQ(Fingerprint(SomeWeights()), base);

  WeightMap renamed = SomeWeights();
  renamed["c"] = renamed.extract("ids").mapped();
  WeightMap reshaped = SomeWeights();
  reshaped["a.weight"] = reshaped["a.weight"].reshape({3, 2});
  WeightMap recast = SomeWeights();
  recast["ids"] = recast["ids"].view(at::kUInt64);
  WeightMap changed = SomeWeights();
  changed["a.bias"][1] = 1.0000001;
  for (const WeightMap& other : {renamed, reshaped, recast, changed}) {
    EXPECT_NE(Fingerprint(other), base);
  }
}

// A view has the bytes of its values, not of its storage.
TEST(FingerprintTest, IgnoresStrides) {
  const at::Tensor tensor = at::arange(6, at::kFloat).reshape({2, 3});
  EXPECT_EQ(Fingerprint({{"a", tensor.t()}}), Fingerprint({{"a", tensor.t().contiguous()}}));
}

}  // namespace
}  // namespace aim
