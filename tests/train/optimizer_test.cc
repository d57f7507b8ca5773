#include "aim/train/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "aim/base/error.h"
#include "support/relative_error.h"
#include "support/throws.h"

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

// A matrix that Muon trains, one that it does not, a bias.
WeightMap SomeWeights() {
  at::manual_seed(5);
  return {{"blocks.0.ffn.0.weight", at::randn({24, 16})},
          {"head.head.weight", at::randn({8, 16})},
          {"head.head.bias", at::randn({8})}};
}

struct Trained {
  WeightMap weights;
  WeightMap moments;
};

Trained TrainSome(const TrainOptions& options, int num_steps, int num_threads, uint64_t seed = 0) {
  Trained result{SomeWeights(), {}};
  Optimizer optimizer(options, result.weights, at::kFloat, seed);
  at::manual_seed(6);
  for (int i = 0; i < num_steps; ++i) {
    std::vector<at::Tensor> grads;
    for (const auto& [name, weight] : result.weights)
      grads.push_back(weight + at::randn_like(weight));
    optimizer.Step(result.weights, grads, 1e-2, num_threads);
  }
  result.moments = optimizer.State();
  return result;
}

bool SameBits(const Trained& a, const Trained& b) {
  const auto same = [](const WeightMap& one, const WeightMap& other) {
    return std::ranges::all_of(
        one, [&](const auto& named) { return at::equal(named.second, other.at(named.first)); });
  };
  return same(a.weights, b.weights) && same(a.moments, b.moments);
}

// In bfloat16 it takes half the memory and goes nearly the same way, the same bits on any number of
// threads, others with another seed.
TEST(OptimizerTest, MomentsInBf16) {
  for (const auto& kind : WordsOf(OptimizerKind{})) {
    TrainOptions options;
    options.optimizer = kind.value;
    const Trained exact = TrainSome(options, 40, 1, 3);
    options.moments = MomentDtype::kBf16;
    const Trained rounded = TrainSome(options, 40, 1, 3);
    for (const auto& [name, weight] : exact.weights) {
      EXPECT_LE(testing::RelativeError(rounded.weights.at(name), weight), 2e-2) << name;
      EXPECT_FALSE(at::equal(rounded.weights.at(name), weight)) << name;
      EXPECT_EQ(rounded.moments.at(name + "/m").scalar_type(), at::kBFloat16);
    }
    EXPECT_TRUE(SameBits(rounded, TrainSome(options, 40, 3, 3))) << kind.text;
    EXPECT_FALSE(SameBits(rounded, TrainSome(options, 40, 1, 4))) << kind.text;
  }
}

// ATen's operations over all tensors at once give what the loops give.
TEST(OptimizerTest, QueuedStepsAreThoseOfTheLoops) {
  for (const auto& kind : WordsOf(OptimizerKind{})) {
    TrainOptions options;
    options.optimizer = kind.value;
    options.weight_decay = 0.1;
    at::manual_seed(5);
    WeightMap loops = SomeWeights();
    loops["blocks.1.ffn.0.weight"] = at::randn({24, 16});  // one more of a shape
    loops["blocks.1.ffn.2.weight"] = at::randn({16, 24});
    WeightMap queued;
    for (const auto& [name, weight] : loops) queued[name] = weight.clone();
    Optimizer of_loops(options, loops, at::kFloat), of_queued(options, queued, at::kFloat);
    for (int i = 0; i < 10; ++i) {
      std::vector<at::Tensor> grads, copies;
      for (const auto& [name, weight] : loops) {
        grads.push_back(weight + at::randn_like(weight));
        copies.push_back(grads.back().clone());
      }
      const double norm = of_loops.Step(loops, grads, 1e-2);
      of_queued.StepQueued(queued, copies, 1e-2, norm);
    }
    for (const auto& [name, weight] : loops)
      EXPECT_LE(testing::RelativeError(queued.at(name), weight), 1e-6) << kind.text << " " << name;
    WeightMap moments = of_queued.State(), expected = of_loops.State();
    EXPECT_TRUE(at::equal(moments.at("step"), expected.at("step")));
    expected.erase("step");
    for (const auto& [name, moment] : expected)
      EXPECT_LE(testing::RelativeError(moments.at(name), moment), 3e-6) << name;
  }
}

TEST(OptimizerTest, SeveralMatricesAreOrthogonalizedAsEachAlone) {
  at::manual_seed(2);
  const at::Tensor several = at::randn({3, 12, 20});
  const at::Tensor found = Orthogonalize(several, at::kFloat);
  for (int64_t i = 0; i < 3; ++i)
    EXPECT_LE(testing::RelativeError(found[i], Orthogonalize(several[i], at::kFloat)), 1e-5);
}

TEST(OptimizerTest, ClippingScalesTheGradientsToTheNorm) {
  TrainOptions options;
  options.clip_norm = 0.5;
  WeightMap weights = {{"w", at::zeros({4})}};
  Optimizer optimizer(options, weights, at::kFloat);
  std::vector<at::Tensor> grads = {at::full({4}, 3.0f)};
  EXPECT_NEAR(optimizer.Step(weights, grads, 0.1), 6.0, 1e-6);
  // m = (1 - beta1) g of the clipped g, 0.25 each.
  EXPECT_NEAR(optimizer.State().at("w/m")[0].item<float>(), 0.025, 1e-7);
}

TEST(OptimizerTest, MomentsOfAnotherTypeAreRefused) {
  TrainOptions options;
  WeightMap weights = SomeWeights();
  const WeightMap state = Optimizer(options, weights, at::kFloat).State();
  options.moments = MomentDtype::kBf16;
  Optimizer other(options, weights, at::kFloat);
  testing::ExpectThrowsWith<InputError>([&] { other.LoadState(state, "o.safetensors"); },
                                        {"o.safetensors", "Float", "BFloat16", "train.moments"});
}

}  // namespace
}  // namespace aim
