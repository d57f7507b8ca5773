#include "aim/diffusion/sampler.h"

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "aim/diffusion/flow_matching.h"
#include "aim/diffusion/scheduler.h"
#include "support/throws.h"

namespace aim {
namespace {

// docs/reference/method.md 9, G5: shift 5.
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
  clean.prediction = Prediction::kClean;
  at::manual_seed(3);
  const at::Tensor x0 = at::randn({1, 2, 3, 2, 2});
  const at::Tensor noise = at::randn({1, 2, 3, 2, 2});
  const at::Tensor sigma = at::tensor({0.7f}).view({1, 1, 1, 1, 1});
  const at::Tensor x = (1 - sigma) * x0 + sigma * noise;
  EXPECT_TRUE(at::allclose(ToClean(velocity, noise - x0, x, sigma), x0, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(ToVelocity(clean, x0, x, sigma), noise - x0, 1e-5, 1e-5));
}

// A small network with random weights.
Dit RandomDit(Prediction prediction) {
  DitOptions options;
  options.in_channels = options.out_channels = 4;
  options.dim = 24;
  options.ffn_dim = 32;
  options.num_heads = 2;
  options.num_layers = 2;
  options.freq_dim = 16;
  options.text_dim = 6;
  options.prediction = prediction;
  WeightMap weights;
  for (auto& [name, weight] : InitialDitWeights(options, Rng(5))) {
    Rng rng = Rng(6).Derive(0, name);
    weights[name] = weight + 0.1 * NormalNoise(weight.sizes(), rng);
  }
  return {options, weights};
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

  Dit dit_ = RandomDit(Prediction::kClean);
  CanvasPlan plan_;
  at::Tensor canvas_, noise_;
  Conditions conditions_;
};

TEST_F(SamplerTest, GivenLatentsKeepTheirBits) {
  const at::Tensor out = Run({.sampling = {.steps = 3, .guidance = 1.0, .shift = 30.0}});
  for (int64_t frame = 0; frame < 8; ++frame) {
    const bool is_same = at::equal(out.select(2, frame), canvas_.select(2, frame));
    EXPECT_EQ(is_same, plan_.given[static_cast<size_t>(frame)]) << "frame " << frame;
  }
}

TEST_F(SamplerTest, WhatIsNotGivenIsNotRead) {
  const at::Tensor before = Run({.sampling = {.steps = 2}});
  for (int64_t frame = 0; frame < 8; ++frame) {
    if (!plan_.given[static_cast<size_t>(frame)]) canvas_.select(2, frame).fill_(77.0);
  }
  EXPECT_TRUE(at::equal(Run({.sampling = {.steps = 2}}), before));
}

TEST_F(SamplerTest, OneStepOfACleanPredictionIsThePrediction) {
  const at::Tensor start =
      at::where(GivenMask(plan_).view({1, 1, -1, 1, 1}).to(at::kBool), canvas_, noise_);
  const DitContext context = PrepareContext(dit_, plan_.layout, conditions_.text, {});
  const at::Tensor prediction = ForwardDit(dit_, start, at::full({2, 1}, 1000.0f), context);
  EXPECT_TRUE(at::allclose(Run({.sampling = {.steps = 1}}).select(2, 3), prediction.select(2, 3),
                           1e-5, 1e-5));
}

TEST_F(SamplerTest, GuidanceOneIsNoGuidance) {
  const at::Tensor plain = Run({.sampling = {.steps = 2, .guidance = 1.0}});
  conditions_.null_text = conditions_.text;
  EXPECT_TRUE(at::allclose(Run({.sampling = {.steps = 2, .guidance = 4.0}}), plain, 1e-4, 1e-4));
  conditions_.null_text = at::zeros({2, 3, 6});
  EXPECT_FALSE(at::allclose(Run({.sampling = {.steps = 2, .guidance = 4.0}}), plain, 1e-3, 1e-3));
}

TEST_F(SamplerTest, EveryWayOfSteppingKeepsGivenLatents) {
  for (const auto& sampler : WordsOf(SamplerKind{})) {
    for (const auto& cache : WordsOf(StepCacheKind{})) {
      const at::Tensor out =
          Run({.sampling = {.steps = 6, .guidance = 2.0, .shift = 5.0, .sampler = sampler.value},
               .passes = {.cache = cache.value}});
      EXPECT_TRUE(out.isfinite().all().item<bool>());
      for (int64_t frame = 0; frame < 8; ++frame) {
        const bool is_same = at::equal(out.select(2, frame), canvas_.select(2, frame));
        EXPECT_EQ(is_same, plan_.given[static_cast<size_t>(frame)])
            << sampler.text << ' ' << cache.text;
      }
    }
  }
}

TEST_F(SamplerTest, BatchedGuidanceIsSequentialGuidance) {
  for (const double sigma_min : {0.0, 0.9}) {
    SamplerOptions options{.sampling = {.steps = 3, .guidance = 4.0, .shift = 5.0}};
    options.passes.guidance_sigma_min = sigma_min;
    options.passes.guidance_mode = GuidanceMode::kSequential;
    const at::Tensor sequential = Run(options);
    options.passes.guidance_mode = GuidanceMode::kBatched;
    EXPECT_TRUE(at::allclose(Run(options), sequential, 1e-4, 1e-4)) << sigma_min;
    options.passes.guidance_mode = GuidanceMode::kAuto;
    EXPECT_TRUE(at::allclose(Run(options), sequential, 1e-4, 1e-4)) << sigma_min;
  }
}

// The whole range of noise levels is guidance in every step, written out.
TEST_F(SamplerTest, GuidanceIsBothBranchesInEveryStep) {
  const c10::InferenceMode guard;
  const at::Tensor keep = GivenMask(plan_).view({1, 1, -1, 1, 1}).to(at::kBool);
  const DitContext text = PrepareContext(dit_, plan_.layout, conditions_.text, {});
  const DitContext null_text = WithText(dit_, text, conditions_.null_text);
  const std::unique_ptr<Scheduler> scheduler =
      MakeScheduler({.steps = 3, .shift = 5.0}, Prediction::kClean);
  at::Tensor x = at::where(keep, canvas_, noise_);
  for (const float timestep : scheduler->schedule().timesteps) {
    const at::Tensor time = at::full({2, 1}, timestep);
    const at::Tensor output = ForwardDit(dit_, x, time, text);
    const at::Tensor null_output = ForwardDit(dit_, x, time, null_text);
    x = at::where(keep, canvas_, scheduler->Step(x, null_output + 4.0 * (output - null_output)));
  }
  SamplerOptions options{.sampling = {.steps = 3, .guidance = 4.0, .shift = 5.0}};
  options.passes.guidance_mode = GuidanceMode::kSequential;
  EXPECT_TRUE(at::equal(Run(options), x));
}

TEST_F(SamplerTest, WithoutANoiseLevelInTheRangeThereIsNoGuidance) {
  const at::Tensor plain = Run({.sampling = {.steps = 4, .guidance = 1.0, .shift = 5.0}});
  for (const GuidanceMode mode : {GuidanceMode::kSequential, GuidanceMode::kBatched}) {
    SamplerOptions options{.sampling = {.steps = 4, .guidance = 4.0, .shift = 5.0}};
    options.passes.guidance_mode = mode;
    options.passes.guidance_sigma_min = options.passes.guidance_sigma_max = 0.7;
    EXPECT_TRUE(at::equal(Run(options), plain)) << ToWord(mode);
    options.passes.guidance_sigma_max = 0.9;  // 0.8333 lies within
    EXPECT_FALSE(at::allclose(Run(options), plain, 1e-3, 1e-3)) << ToWord(mode);
  }
}

// Matrix products that ATen does on this thread while `work` runs.
template <class Work>
int CountProducts(Work&& work) {
  static thread_local int count;
  count = 0;
  const at::CallbackHandle handle = at::addThreadLocalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
        if (std::string_view(function.name()) == "aten::linear") ++count;
        return nullptr;
      }));
  work();
  at::removeCallback(handle);
  return count;
}

// Noise levels 1, 0.9375, 0.8333, 0.625: two of four lie in the range.
TEST_F(SamplerTest, StepsOutsideTheRangeCostOnePass) {
  const auto products = [&](const SamplerOptions& options) {
    return CountProducts([&] { Run(options); });
  };
  const int one_pass = products({.sampling = {.steps = 3}}) - products({.sampling = {.steps = 2}});
  ASSERT_GT(one_pass, 0);
  SamplerOptions options{.sampling = {.steps = 4, .guidance = 4.0, .shift = 5.0}};
  options.passes.guidance_mode = GuidanceMode::kSequential;
  const int everywhere = products(options);
  options.passes.guidance_sigma_min = 0.8;
  options.passes.guidance_sigma_max = 0.95;
  EXPECT_EQ(everywhere - products(options), 2 * one_pass);
}

TEST_F(SamplerTest, RefusesARangeUpsideDown) {
  SamplerOptions options{.sampling = {.guidance = 4.0}};
  options.passes.guidance_sigma_min = 0.6;
  options.passes.guidance_sigma_max = 0.4;
  testing::ExpectThrowsWith<ConfigError>([&] { options.Validate(); },
                                         {"guidance_sigma_min is 0.6", "guidance_sigma_max = 0.4"});
  EXPECT_THROW(Run(options), ConfigError);
}

// torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)) of PyTorch 2.11.0: the
// first elements. Below 16 elements PyTorch draws them one by one, from 16 on in blocks.
TEST(TorchNoiseTest, IsThatOfPyTorch) {
  const auto expect = [](at::IntArrayRef shape, uint64_t seed, std::vector<float> first,
                         std::vector<float> last) {
    const at::Tensor noise = TorchNoise(shape, seed);
    EXPECT_EQ(noise.sizes(), shape);
    EXPECT_EQ(noise.scalar_type(), at::kFloat);
    const at::Tensor flat = noise.flatten();
    EXPECT_TRUE(at::allclose(flat.narrow(0, 0, 6), at::tensor(first), 0, 2e-6)) << shape;
    EXPECT_TRUE(at::allclose(flat.narrow(0, flat.numel() - 3, 3), at::tensor(last), 0, 2e-6))
        << shape;
  };
  expect({1, 2, 1, 2, 3}, 42,
         {.336690366f, .128809407f, .234462366f, .23033303f, -1.12285638f, -.186328292f},
         {.267350882f, .534904659f, .809357226f});
  expect({1, 2, 1, 2, 3}, 43,
         {-.648401082f, -.705841422f, .643218398f, 1.4787991f, 1.19184983f, -.144616559f},
         {.762273431f, .838709235f, -1.0449841f});
  expect({1, 4, 2, 2, 2}, 42,
         {1.92691529f, 1.48728406f, .900717199f, -2.10552096f, .678418458f, -1.23454487f},
         {.041759491f, -.251575291f, .859858513f});
  expect({1, 3, 1, 3, 5}, 43,
         {-.0166036133f, -.466794938f, 2.09089756f, .614902854f, -.562095582f, -.414251208f},
         {.884118021f, .78088975f, .466360241f});  // blocks of 16 and a rest
  EXPECT_TRUE(at::equal(TorchNoise({1, 4, 2, 2, 2}, 7)[0], TorchNoise({4, 2, 2, 2}, 7)));
}

TEST_F(SamplerTest, ACacheTreatsEachClipOfABatchAlone) {
  const SamplerOptions options{.sampling = {.steps = 8, .shift = 5.0},
                               .passes = {.cache = StepCacheKind::kFirstBlock}};
  const at::Tensor both = Run(options);
  canvas_ = canvas_.narrow(0, 1, 1);
  noise_ = noise_.narrow(0, 1, 1);
  conditions_.text = conditions_.text.narrow(0, 1, 1);
  EXPECT_TRUE(at::equal(Run(options), both.narrow(0, 1, 1)));
}

// docs/reference/method.md 9, G7: a given element beside open ones, velocities that do not change.
TEST(EulerGoldenTest, MaskedStepsOfTheRelease) {
  const std::unique_ptr<Scheduler> scheduler =
      MakeScheduler({.steps = 4, .shift = 5.0}, Prediction::kVelocity);
  const at::Tensor start = at::tensor({2.0f, 1.0f, 0.5f, -1.0f, 0.0f, 3.0f});
  const at::Tensor velocity = at::tensor({9.0f, 1.0f, -2.0f, 0.5f, 4.0f, -1.0f});
  const at::Tensor keep = at::arange(6) == 0;
  at::Tensor x = at::where(keep, start, scheduler->Step(start, velocity));
  EXPECT_TRUE(at::allclose(x, at::tensor({2.0f, .9375f, .625f, -1.03125f, -.25f, 3.0625f})));
  for (int i = 1; i < 4; ++i) x = at::where(keep, start, scheduler->Step(x, velocity));
  EXPECT_TRUE(at::allclose(x, at::tensor({2.0f, 0.0f, 2.5f, -1.5f, -4.0f, 4.0f}), 1e-5, 1e-6));
}

// The same with the sample itself as velocity.
TEST(EulerGoldenTest, MaskedStepsOfAVelocityThatFollowsTheSample) {
  const std::unique_ptr<Scheduler> scheduler =
      MakeScheduler({.steps = 4, .shift = 5.0}, Prediction::kVelocity);
  const at::Tensor start = at::tensor({2.0f, 1.0f, -1.0f});
  const at::Tensor keep = at::arange(3) == 0;
  at::Tensor x = start;
  for (int i = 0; i < 4; ++i) x = at::where(keep, start, scheduler->Step(x, x));
  EXPECT_TRUE(at::allclose(x, at::tensor({2.0f, .2493286f, -.2493286f}), 0, 1e-6));
}

}  // namespace
}  // namespace aim
