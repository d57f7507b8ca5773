#include "aim/model/lora.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "aim/base/error.h"
#include "support/relative_error.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::testing::ElementsAre;
using testing::RelativeError;
using ::testing::SizeIs;

DitOptions SmallDit() {
  DitOptions options;
  options.in_channels = options.out_channels = 4;
  options.dim = 12;
  options.ffn_dim = 16;
  options.num_heads = 2;
  options.num_layers = 2;
  options.freq_dim = 8;
  options.text_dim = 5;
  return options;
}

WeightMap RandomWeights(uint64_t seed) {
  WeightMap weights = InitialDitWeights(SmallDit(), Rng(seed));
  at::manual_seed(static_cast<int64_t>(seed));
  for (auto& [name, weight] : weights) weight = weight + 0.1 * at::randn_like(weight);
  return weights;
}

// An adapter of every matrix, whose B is not zero.
Lora RandomLora(int rank, double alpha) {
  const LoraOptions options{.rank = rank, .alpha = alpha, .targets = {"blocks"}};
  Lora lora = InitialLora(SmallDit(), options, Rng(5));
  at::manual_seed(6);
  for (auto& [name, weight] : lora.weights) weight = weight + 0.3 * at::randn_like(weight);
  return lora;
}

at::Tensor Forward(const Dit& dit) {
  at::manual_seed(7);
  const CanvasLayout layout{4, 4, {0, 1}, {0, 0}};
  const DitContext context = PrepareContext(dit, layout, at::randn({1, 3, 5}), {});
  return ForwardDit(dit, at::randn({1, 4, 2, 4, 4}), at::tensor({300.0f}), context);
}

TEST(Lora, ANewAdapterChangesNothing) {
  Dit dit(SmallDit(), RandomWeights(1));
  const at::Tensor before = Forward(dit);
  AttachLora(dit, InitialLora(SmallDit(), {.rank = 3}, Rng(2)));
  EXPECT_TRUE(at::equal(Forward(dit), before));
}

TEST(Lora, AttachedAndMergedAreTheSameNetwork) {
  for (const double alpha : {0.0, 8.0}) {
    const Lora lora = RandomLora(2, alpha);
    Dit attached(SmallDit(), RandomWeights(1));
    const at::Tensor before = Forward(attached);
    AttachLora(attached, lora);
    WeightMap merged = RandomWeights(1);
    for (auto& [name, weight] : merged) weight = MergedWeight(name, weight, lora);
    const at::Tensor expected = Forward(Dit(SmallDit(), merged));
    EXPECT_LE(RelativeError(Forward(attached), expected), 1e-5) << alpha;
    EXPECT_GT(RelativeError(before, expected), 1e-2) << alpha;
  }
}

// W + (alpha / rank) B A, written out for one number.
TEST(Lora, TheChangeIsTheScaledProductOfTheFactors) {
  Lora lora{.scale = 8.0 / 2};
  lora.weights["blocks.0.ffn.0.lora_A.weight"] = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({2, 2});
  lora.weights["blocks.0.ffn.0.lora_B.weight"] = at::tensor({5.0f, 6.0f}).view({1, 2});
  const at::Tensor weight = at::tensor({10.0f, 20.0f}).view({1, 2});
  const at::Tensor merged = MergedWeight("blocks.0.ffn.0.weight", weight, lora);
  EXPECT_FLOAT_EQ(merged[0][0].item<float>(), 10 + 4 * (5 * 1 + 6 * 3));
  EXPECT_FLOAT_EQ(merged[0][1].item<float>(), 20 + 4 * (5 * 2 + 6 * 4));
  EXPECT_TRUE(MergedWeight("blocks.0.ffn.2.weight", weight, lora).is_same(weight));
}

TEST(Lora, GradientsReachTheFactorsOfEveryTarget) {
  Lora lora = RandomLora(2, 4);
  std::vector<at::Tensor> leaves;
  for (auto& [name, weight] : lora.weights) {
    weight = weight.detach().requires_grad_(true);
    leaves.push_back(weight);
  }
  Dit dit(SmallDit(), RandomWeights(1));
  AttachLora(dit, lora);
  const auto gradients = torch::autograd::grad({Forward(dit).square().sum()}, leaves);
  for (const at::Tensor& gradient : gradients) EXPECT_GT(gradient.norm().item<double>(), 0);
}

TEST(Lora, TargetsAreWholeWordsOfNames) {
  EXPECT_TRUE(HoldsWord("blocks.1.ffn.0", "ffn.0"));
  EXPECT_TRUE(HoldsWord("blocks.1.ffn.0", "blocks.1"));
  EXPECT_FALSE(HoldsWord("blocks.11.ffn.0", "blocks.1"));
  EXPECT_FALSE(HoldsWord("blocks.1.ffn.01", "ffn.0"));
  EXPECT_FALSE(HoldsWord("blocks.1", ""));
  EXPECT_THAT(LoraTargets(SmallDit(), {.rank = 1, .targets = {"cross_attn.q"}}),
              ElementsAre("blocks.0.cross_attn.q", "blocks.1.cross_attn.q"));
  EXPECT_THAT(LoraTargets(SmallDit(), {.rank = 1}), SizeIs(2 * (4 + 4 + 2)));
  testing::ExpectThrowsWith<ConfigError>(
      [] {
        LoraTargets(SmallDit(), {.rank = 1, .targets = {"self_attn", "attn1"}});
      },
      {"lora.targets is \"attn1\"", "blocks, cross_attn, ffn"});
}

TEST(Lora, WhatFitsNoMatrixIsNamed) {
  const auto refuses = [](const Lora& lora, const std::vector<std::string>& words) {
    testing::ExpectThrowsWith<InputError>([&] { CheckLora(SmallDit(), lora, "a.safetensors"); },
                                          words);
  };
  CheckLora(SmallDit(), RandomLora(2, 0), "a.safetensors");
  refuses({}, {"a.safetensors", "no factors"});
  Lora lora = RandomLora(2, 0);
  lora.weights.erase("blocks.1.ffn.2.lora_B.weight");
  lora.weights["blocks.0.ffn.0.lora_A.weight"] = at::zeros({2, 11});
  lora.weights["blocks.0.self_attn.q.lora_B.weight"] = at::zeros({12, 3});
  lora.weights["blocks.2.ffn.0.lora_A.weight"] = at::zeros({2, 12});
  refuses(lora, {"blocks.1.ffn.2.lora_B.weight missing", "blocks.0.ffn.0.lora_A.weight [2, 11]",
                 "blocks.0.self_attn.q.lora_B.weight [12, 3], not [12, 2]",
                 "blocks.2.ffn.0.lora_A.weight unknown"});
}

}  // namespace
}  // namespace aim
