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

}  // namespace
}  // namespace aim
