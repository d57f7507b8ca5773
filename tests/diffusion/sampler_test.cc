#include "aim/diffusion/sampler.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/diffusion/flow_matching.h"
#include "aim/diffusion/scheduler.h"

namespace aim {
namespace {

// method.md 9, G5: shift 5.
TEST(FlowMatchingTest, SigmasOfTheRelease) {
  const std::vector<double> four = InferenceSigmas(4, 5.0);
  ASSERT_EQ(four.size(), 5U);
  for (size_t i = 0; i < 5; ++i)
    EXPECT_NEAR(four[i], (std::vector<double>{1, .9375, .833333, .625, 0})[i], 1e-6);
  const std::vector<double> fifty = InferenceSigmas(50, 5.0);
  EXPECT_NEAR(fifty[1], .995935, 1e-6);
  EXPECT_NEAR(fifty[24], .844156, 1e-6);
  EXPECT_NEAR(fifty[49], .092593, 1e-6);
}

TEST(FlowMatchingTest, CleanAndVelocityAreTwoNamesOfOneThing) {
  DitOptions velocity;
  DitOptions clean;
  clean.prediction = "clean";
  at::manual_seed(3);
  const at::Tensor x0 = at::randn({1, 2, 3, 2, 2});
  const at::Tensor noise = at::randn({1, 2, 3, 2, 2});
  const at::Tensor sigma = at::tensor({0.7f}).view({1, 1, 1, 1, 1});
  const at::Tensor x = (1 - sigma) * x0 + sigma * noise;
  EXPECT_TRUE(at::allclose(ToClean(velocity, noise - x0, x, sigma), x0, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(ToVelocity(clean, x0, x, sigma), noise - x0, 1e-5, 1e-5));
}

// A small network with random weights.
Dit RandomDit(const std::string& prediction) {
  Dit dit;
  dit.options.in_channels = dit.options.out_channels = 4;
  dit.options.dim = 24;
  dit.options.ffn_dim = 32;
  dit.options.num_heads = 2;
  dit.options.num_layers = 2;
  dit.options.freq_dim = 16;
  dit.options.text_dim = 6;
  dit.options.prediction = prediction;
  for (auto& [name, weight] : InitialDitWeights(dit.options, Rng(5))) {
    Rng rng = Rng(6).Derive(0, name);
    dit.weights[name] = weight + 0.1 * NormalNoise(weight.sizes(), rng);
  }
  return dit;
}

class SamplerTest : public ::testing::Test {
 protected:
  SamplerTest() : plan_(PlanCanvas(FindMode("i2a"), {2, 3, 4, 4}, dit_.options)) {
    Rng rng(8);
    canvas_ = NormalNoise({2, 4, 8, 4, 4}, rng);
    noise_ = NormalNoise({2, 4, 8, 4, 4}, rng);
    conditions_.text = NormalNoise({2, 3, 6}, rng);
    conditions_.null_text = at::zeros({2, 3, 6});
  }
  at::Tensor Run(const SamplerOptions& options) {
    return Denoise(dit_, plan_, canvas_, noise_, conditions_, options);
  }

  Dit dit_ = RandomDit("clean");
  CanvasPlan plan_;
  at::Tensor canvas_, noise_;
  Conditions conditions_;
};

TEST_F(SamplerTest, GivenLatentsKeepTheirBits) {
  const at::Tensor out = Run({.steps = 3, .guidance = 1.0, .shift = 30.0});
  for (int64_t frame = 0; frame < 8; ++frame) {
    const bool is_same = at::equal(out.select(2, frame), canvas_.select(2, frame));
    EXPECT_EQ(is_same, plan_.given[static_cast<size_t>(frame)]) << "frame " << frame;
  }
}

TEST_F(SamplerTest, WhatIsNotGivenIsNotRead) {
  const at::Tensor before = Run({.steps = 2});
  for (int64_t frame = 0; frame < 8; ++frame) {
    if (!plan_.given[static_cast<size_t>(frame)]) canvas_.select(2, frame).fill_(77.0);
  }
  EXPECT_TRUE(at::equal(Run({.steps = 2}), before));
}

TEST_F(SamplerTest, OneStepOfACleanPredictionIsThePrediction) {
  const at::Tensor start =
      at::where(GivenMask(plan_).view({1, 1, -1, 1, 1}).to(at::kBool), canvas_, noise_);
  const DitContext context = PrepareContext(dit_, plan_.layout, conditions_.text, {});
  const at::Tensor prediction = ForwardDit(dit_, start, at::full({2, 1}, 1000.0f), context);
  EXPECT_TRUE(at::allclose(Run({.steps = 1}).select(2, 3), prediction.select(2, 3), 1e-5, 1e-5));
}

TEST_F(SamplerTest, GuidanceOneIsNoGuidance) {
  const at::Tensor plain = Run({.steps = 2, .guidance = 1.0});
  conditions_.null_text = conditions_.text;
  EXPECT_TRUE(at::allclose(Run({.steps = 2, .guidance = 4.0}), plain, 1e-4, 1e-4));
  conditions_.null_text = at::zeros({2, 3, 6});
  EXPECT_FALSE(at::allclose(Run({.steps = 2, .guidance = 4.0}), plain, 1e-3, 1e-3));
}

TEST_F(SamplerTest, EveryWayOfSteppingKeepsGivenLatents) {
  for (const std::string sampler : {"euler", "unipc"}) {
    for (const std::string cache : {"none", "cosine", "first_block"}) {
      const at::Tensor out =
          Run({.steps = 6, .guidance = 2.0, .shift = 5.0, .sampler = sampler, .cache = cache});
      EXPECT_TRUE(out.isfinite().all().item<bool>());
      for (int64_t frame = 0; frame < 8; ++frame) {
        const bool is_same = at::equal(out.select(2, frame), canvas_.select(2, frame));
        EXPECT_EQ(is_same, plan_.given[static_cast<size_t>(frame)]) << sampler << ' ' << cache;
      }
    }
  }
}

TEST_F(SamplerTest, BatchedGuidanceIsSequentialGuidance) {
  SamplerOptions options{.steps = 3, .guidance = 4.0, .shift = 5.0};
  const at::Tensor sequential = Run(options);
  options.guidance_mode = "batched";
  EXPECT_TRUE(at::allclose(Run(options), sequential, 1e-4, 1e-4));
}

TEST_F(SamplerTest, ACacheTreatsEachClipOfABatchAlone) {
  const SamplerOptions options{.steps = 8, .shift = 5.0, .cache = "first_block"};
  const at::Tensor both = Run(options);
  canvas_ = canvas_.narrow(0, 1, 1);
  noise_ = noise_.narrow(0, 1, 1);
  conditions_.text = conditions_.text.narrow(0, 1, 1);
  EXPECT_TRUE(at::equal(Run(options), both.narrow(0, 1, 1)));
}

// method.md 9, G7: a given element beside open ones, velocities that do not change.
TEST(EulerGoldenTest, MaskedStepsOfTheRelease) {
  const std::unique_ptr<Scheduler> scheduler = MakeScheduler({.steps = 4, .shift = 5.0});
  const at::Tensor start = at::tensor({2.0f, 1.0f, 0.5f, -1.0f, 0.0f, 3.0f});
  const at::Tensor velocity = at::tensor({9.0f, 1.0f, -2.0f, 0.5f, 4.0f, -1.0f});
  const at::Tensor keep = at::arange(6) == 0;
  at::Tensor x = at::where(keep, start, scheduler->Step(start, velocity));
  EXPECT_TRUE(at::allclose(x, at::tensor({2.0f, .9375f, .625f, -1.03125f, -.25f, 3.0625f})));
  for (int i = 1; i < 4; ++i) x = at::where(keep, start, scheduler->Step(x, velocity));
  EXPECT_TRUE(at::allclose(x, at::tensor({2.0f, 0.0f, 2.5f, -1.5f, -4.0f, 4.0f}), 1e-5, 1e-6));
}

}  // namespace
}  // namespace aim
