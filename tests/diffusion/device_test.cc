// Steps of both samplers, guidance and every cache on each device and in each type against the same
// in float32 on the CPU. The rows of CUDA are skipped where there is no GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "aim/diffusion/sampler.h"
#include "aim/diffusion/scheduler.h"
#include "aim/diffusion/step_cache.h"
#include "support/device_rows.h"

namespace aim {
namespace {

Dit RandomDit() {
  DitOptions options;
  options.in_channels = options.out_channels = 4;
  options.dim = 48;
  options.num_heads = 2;
  options.ffn_dim = 96;
  options.num_layers = 3;
  options.freq_dim = 32;
  options.text_dim = 12;
  options.camera.mode = CameraMode::kPooledLatent;
  options.camera.features = 16;
  options.camera.projector = true;
  WeightMap weights;
  for (const auto& [name, shape] : DitWeightShapes(options))
    weights[name] = at::randn(shape) / std::sqrt(static_cast<double>(shape.back()));
  return {options, weights};
}

class DeviceTest : public testing::DeviceRowTest {
 protected:
  void SetUp() override {
    DeviceRowTest::SetUp();
    if (IsSkipped()) return;
    dit_ = RandomDit();
    plan_ = PlanCanvas(FindMode("i2va"), {2, 3, 4, 6}, dit_.options);
    const int64_t frames = plan_.num_frames();
    canvas_ = at::randn({1, 4, frames, 4, 6});
    noise_ = at::randn_like(canvas_);
    conditions_ = {at::randn({1, 5, 12}), at::randn({1, 7, 12}), at::randn({1, frames, 1, 16})};
    WeightMap moved;
    for (const auto& [name, weight] : dit_.NamedWeights()) moved[name] = weight.to(device_);
    dit_on_device_ = Dit(dit_.options, moved, Dtype());
    CastWeights(dit_on_device_);
  }

  // As a network of this row would give it.
  at::Tensor OnDevice(const at::Tensor& x) const { return x.to(device_, Dtype()).to(at::kFloat); }

  void ExpectNear(const at::Tensor& got, const at::Tensor& expected, double times = 1) const {
    EXPECT_EQ(got.scalar_type(), at::kFloat);
    DeviceRowTest::ExpectNear(got, expected, times);
  }

  at::Tensor Expected(const SamplerOptions& options) const {
    return Denoise(dit_, plan_, canvas_, noise_, conditions_, options);
  }

  // The noise stays on the CPU, where it is made.
  at::Tensor OnDevice(const SamplerOptions& options) const {
    const Conditions conditions{conditions_.text.to(device_), conditions_.null_text.to(device_),
                                conditions_.camera.to(device_)};
    return Denoise(dit_on_device_, plan_, canvas_.to(device_), noise_, conditions, options);
  }

  void ExpectGivenBits(const at::Tensor& got) const {
    const at::Tensor given = GivenMask(plan_).nonzero().flatten();
    ASSERT_GT(given.numel(), 0);
    EXPECT_TRUE(at::equal(got.to(at::kCPU).index_select(2, given), canvas_.index_select(2, given)));
  }

  Dit dit_, dit_on_device_;
  CanvasPlan plan_;
  at::Tensor canvas_, noise_;
  Conditions conditions_;
};

// Steps are linear in what the network gives, whose rounding is all that a type adds.
TEST_P(DeviceTest, StepsOfBothSamplers) {
  for (const auto& kind : WordsOf(SamplerKind{})) {
    for (const auto& prediction : WordsOf(Prediction{})) {
      const SamplingOptions options{.steps = 4, .shift = 5, .sampler = kind.value};
      const auto plain = MakeScheduler(options, prediction.value);
      const auto moved = MakeScheduler(options, prediction.value);
      at::Tensor x = noise_, x_on_device = noise_.to(device_);
      for (int i = 0; i < options.steps; ++i) {
        const at::Tensor output = at::randn_like(x);
        x = plain->Step(x, output);
        x_on_device = moved->Step(x_on_device, OnDevice(output));
        SCOPED_TRACE(std::string(kind.text) + " " + prediction.text + " " + std::to_string(i));
        ExpectNear(x_on_device, x);
      }
    }
  }
}

TEST_P(DeviceTest, Guidance) {
  for (const auto& sampler : WordsOf(SamplerKind{})) {
    for (const auto& mode : WordsOf(GuidanceMode{})) {
      const SamplerOptions options{
          .sampling = {.steps = 3, .guidance = 3.0, .shift = 5.0, .sampler = sampler.value},
          .passes = {.guidance_mode = mode.value}};
      SCOPED_TRACE(std::string(sampler.text) + " " + mode.text);
      const at::Tensor got = OnDevice(options);
      // Five errors of three layers add up.
      ExpectNear(got, Expected(options), 2);
      ExpectGivenBits(got);
    }
  }
}

// Caches leave out what they leave out on the CPU. The shift keeps noise levels close together, so
// that predictions are alike by a margin that no rounding crosses.
TEST_P(DeviceTest, Caches) {
  for (const GuidanceMode mode : {GuidanceMode::kSequential, GuidanceMode::kBatched}) {
    for (const auto& cache : WordsOf(StepCacheKind{})) {
      if (cache.value == StepCacheKind::kNone) continue;
      SamplerOptions options{.sampling = {.steps = 6, .guidance = 1.5, .shift = 100.0},
                             .passes = {.guidance_mode = mode, .cache = cache.value}};
      options.passes.cache_threshold = 10;  // the ends alone are whole
      SCOPED_TRACE(ToWord(mode) + " " + cache.text);
      const at::Tensor expected = Expected(options), got = OnDevice(options);
      ExpectNear(got, expected);
      ExpectGivenBits(got);
      options.passes.cache = StepCacheKind::kNone;
      const at::Tensor whole = Expected(options);
      const double saved = ((expected - whole).abs().max() / whole.abs().max()).item<double>();
      EXPECT_GT(saved, 1e-3) << "nothing was left out";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, DeviceTest, testing::AllDeviceRows(), testing::DeviceRowName);

}  // namespace
}  // namespace aim
