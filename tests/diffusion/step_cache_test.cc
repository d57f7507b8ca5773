#include "aim/diffusion/step_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aim/diffusion/sampler.h"

namespace aim {
namespace {

using ::testing::ElementsAre;

// Steps that ran, of 50, when each prediction makes the same angle with the one before.
std::vector<int> StepsRun(double cosine) {
  CosineSkip skip;
  std::vector<int> steps;
  for (int step = 0; step < 50; ++step) {
    if (!skip.ShouldRun()) continue;
    const double angle = std::acos(cosine) * static_cast<double>(steps.size());
    steps.push_back(step);
    skip.Add(at::tensor({std::cos(angle), std::sin(angle)}).view({1, 2}));
  }
  return steps;
}

// docs/reference/method.md 9, G9.
TEST(CosineSkipTest, RunsTheStepsOfTheRelease) {
  EXPECT_THAT(StepsRun(.99), ElementsAre(0, 1, 6, 11, 16, 21, 26, 31, 36, 41, 46));
  EXPECT_THAT(StepsRun(.94),
              ElementsAre(0, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46, 49));
  EXPECT_EQ(StepsRun(.90).size(), 50U);
}

// Predictions of a given and a generated element: the given one is large and the same in every
// step, the generated ones turn by `angle` a step. Steps that ran, of `num_steps`.
std::vector<int> StepsRunBesideGiven(const at::Tensor& counted, double angle, int num_steps) {
  CosineSkip skip(counted);
  std::vector<int> steps;
  for (int step = 0; step < num_steps; ++step) {
    const bool is_end = step == 0 || step + 1 == num_steps;
    if (!skip.ShouldRun(counted.defined() && is_end)) continue;
    const double now = angle * static_cast<double>(steps.size());
    steps.push_back(step);
    skip.Add(at::tensor({100.0, std::cos(now), std::sin(now)}).view({1, 3}));
  }
  return steps;
}

// docs/reference/method.md 8.18. The mask sees what is generated alone, and the last step runs.
TEST(CosineSkipTest, MaskedLooksAtWhatIsGeneratedAndRunsBothEnds) {
  const at::Tensor counted = at::tensor({0, 1, 1}).view({1, 3}).to(at::kBool);
  EXPECT_THAT(StepsRunBesideGiven(counted, std::acos(.99), 50),
              ElementsAre(0, 1, 6, 11, 16, 21, 26, 31, 36, 41, 46, 49));
  EXPECT_THAT(StepsRunBesideGiven({}, std::acos(.5), 50),
              ElementsAre(0, 1, 6, 11, 16, 21, 26, 31, 36, 41, 46));
  EXPECT_EQ(StepsRunBesideGiven(counted, std::acos(.5), 50).size(), 50U);
}

class FirstBlockCacheTest : public ::testing::Test {
 protected:
  FirstBlockCacheTest() {
    DitOptions options;
    options.in_channels = options.out_channels = 4;
    options.dim = 24;
    options.ffn_dim = 32;
    options.num_heads = 2;
    options.num_layers = 3;
    options.freq_dim = 16;
    options.text_dim = 6;
    WeightMap weights;
    for (auto& [name, weight] : InitialDitWeights(options, Rng(5))) {
      Rng rng = Rng(6).Derive(0, name);
      weights[name] = weight + 0.1 * NormalNoise(weight.sizes(), rng);
    }
    dit_ = Dit(options, weights);
    const CanvasPlan plan = PlanCanvas(FindMode("i2a"), {2, 3, 4, 4}, dit_.options);
    Rng rng(8);
    latents_ = NormalNoise({1, 4, 8, 4, 4}, rng);
    context_ = PrepareContext(dit_, plan.layout, NormalNoise({1, 3, 6}, rng), {});
  }
  at::Tensor Run(FirstBlockCache& cache, double timestep, bool must_run) {
    return cache.Forward(dit_, latents_, Time(timestep), context_, must_run);
  }
  at::Tensor Whole(double timestep) { return ForwardDit(dit_, latents_, Time(timestep), context_); }
  static at::Tensor Time(double timestep) { return at::full({1, 1}, timestep, at::kFloat); }

  Dit dit_;
  at::Tensor latents_;
  DitContext context_;
};

TEST_F(FirstBlockCacheTest, WholePassesAreThoseOfTheNetwork) {
  FirstBlockCache cache(0);
  for (const double timestep : {900.0, 500.0, 100.0})
    EXPECT_TRUE(at::equal(Run(cache, timestep, false), Whole(timestep)));
  EXPECT_EQ(cache.num_whole(), 3);
}

TEST_F(FirstBlockCacheTest, WhatHasNotChangedIsNotComputedAgain) {
  FirstBlockCache cache(0.1);
  Run(cache, 500, false);
  EXPECT_TRUE(at::allclose(Run(cache, 500, false), Whole(500), 1e-5, 1e-5));
  EXPECT_EQ(cache.num_whole(), 1);
  Run(cache, 500, true);
  EXPECT_EQ(cache.num_whole(), 2);
}

}  // namespace
}  // namespace aim
