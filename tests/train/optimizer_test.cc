#include "aim/train/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace aim {
namespace {

TEST(OptimizerTest, OrthogonalizeGivesSingularValuesNearOne) {
  at::manual_seed(1);
  for (const auto& shape : {std::vector<int64_t>{12, 40}, {40, 12}, {20, 20}}) {
    const at::Tensor values = at::linalg_svdvals(Orthogonalize(at::randn(shape), at::kFloat));
    EXPECT_LT(values.max().item<float>(), 1.3F);
    EXPECT_GT(values.mean().item<float>(), 0.6F);
  }
}

// One AdamW step on one number, by hand: m = 0.1 g, v = 0.01 g^2, corrected to g and g^2.
TEST(OptimizerTest, AdamStepByHand) {
  TrainOptions options;
  options.clip_norm = 0;
  options.weight_decay = 0.5;
  WeightMap weights = {{"w", at::full({1, 1}, 2.0f)}};
  std::vector<at::Tensor> grads = {at::full({1, 1}, 3.0f)};
  Optimizer optimizer(options, weights, at::kFloat);
  EXPECT_NEAR(optimizer.Step(weights, grads, 0.1), 3.0, 1e-6);
  EXPECT_NEAR(weights.at("w").item<float>(), 2.0 * (1 - 0.1 * 0.5) - 0.1, 1e-5);
}

// Two that share the weights, each told the norm of all, leave what one alone leaves.
TEST(OptimizerTest, PartsThatKnowTheNormStepAsTheWholeDoes) {
  for (const auto& optimizer : WordsOf(OptimizerKind{})) {
    TrainOptions options;
    options.optimizer = optimizer.value;
    options.clip_norm = 0.5;
    at::manual_seed(4);
    const WeightMap initial = {{"a", at::randn({3})},
                               {"blocks.0.ffn.0.weight", at::randn({6, 4})},
                               {"c.weight", at::randn({4, 5})}};
    WeightMap whole, shared;
    for (const auto& [name, weight] : initial) {
      whole[name] = weight.clone();
      shared[name] = weight.clone();
    }
    Optimizer of_all(options, whole, at::kFloat);
    Optimizer first(options, {{"c.weight", shared.at("c.weight")}}, at::kFloat);
    WeightMap others = shared;
    others.erase("c.weight");
    Optimizer second(options, others, at::kFloat);
    for (int i = 0; i < 3; ++i) {
      std::vector<at::Tensor> grads;
      for (const auto& [name, weight] : initial) grads.push_back(at::randn_like(weight));
      std::vector<at::Tensor> of_second = {grads[0].clone(), grads[1].clone()};
      std::vector<at::Tensor> of_first = {grads[2].clone()};
      const double norm = of_all.Step(whole, grads, 0.1);
      EXPECT_EQ(first.Step(shared, of_first, 0.1, 1, norm), norm);
      second.Step(shared, of_second, 0.1, 1, norm);
    }
    for (const auto& [name, weight] : whole) EXPECT_TRUE(at::equal(weight, shared.at(name)));
  }
}

}  // namespace
}  // namespace aim
