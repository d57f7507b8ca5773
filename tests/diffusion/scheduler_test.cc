#include "aim/diffusion/scheduler.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "support/throws.h"

namespace aim {
namespace {

constexpr SamplerKind kUnipc = SamplerKind::kUnipc;

using ::testing::ElementsAre;

// The network of docs/reference/wan22.md B.5 and of the fixture.
at::Tensor ToyVelocity(const at::Tensor& sample, float timestep) {
  return sample * 0.7 - 0.2 + sample.cos() * (0.001 * timestep);
}

// The sample after each step, [n, 4].
at::Tensor RunToy(const SamplingOptions& options, Prediction prediction = Prediction::kVelocity) {
  const std::unique_ptr<Scheduler> scheduler = MakeScheduler(options, prediction);
  at::Tensor sample = at::tensor({1.0f, -0.5f, 0.25f, 2.0f});
  std::vector<at::Tensor> samples;
  for (size_t i = 0; i < scheduler->schedule().timesteps.size(); ++i) {
    const double sigma = scheduler->schedule().sigmas[i];
    at::Tensor output = ToyVelocity(sample, scheduler->schedule().timesteps[i]);
    if (prediction == Prediction::kClean) output = sample - output * sigma;
    sample = scheduler->Step(sample, output);
    samples.push_back(sample);
  }
  return at::stack(samples);
}

Schedule Released(int steps) {
  return MakeSchedule({.steps = steps, .shift = 5, .timestep_rounding = TimestepRounding::kBf16});
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// docs/reference/wan22.md B.5.
TEST(UniPcTest, GoldenTrajectories) {
  const auto expect = [](int steps, int64_t row, const std::vector<float>& values) {
    const at::Tensor samples = RunToy({.steps = steps,
                                       .shift = 5,
                                       .sampler = kUnipc,
                                       .timestep_rounding = TimestepRounding::kTrunc});
    EXPECT_LE(LargestDifference(samples[row], at::tensor(values)), 2e-6) << steps << ", " << row;
  };
  expect(1, 0, {-0.039553881f, -0.82663959f, -0.69275486f, 1.2158878f});
  expect(2, 0, {0.82662547f, -0.55447626f, 0.092769369f, 1.8692274f});
  expect(2, 1, {0.041153848f, -0.65449572f, -0.48566818f, 1.1498511f});
  expect(4, 0, {0.93497914f, -0.52043033f, 0.1910336f, 1.9509562f});
  expect(4, 1, {0.83066756f, -0.5435406f, 0.10527491f, 1.8645051f});
  expect(4, 2, {0.64381504f, -0.55454057f, -0.019340374f, 1.6779011f});
  expect(4, 3, {0.17545384f, -0.51850265f, -0.27567774f, 1.1107943f});
  expect(10, 1, {0.9507944f, -0.51453692f, 0.20622434f, 1.9621702f});
  expect(10, 9, {0.32842186f, -0.41808668f, -0.10796493f, 1.1284777f});
}

// docs/reference/wan22.md B.6.
TEST(EulerTest, GoldenTrajectory) {
  const at::Tensor samples = RunToy({.steps = 4, .shift = 5});
  EXPECT_LE(
      LargestDifference(samples[0], at::tensor({0.93498111, -0.5204739, 0.19100547, 1.9510092})),
      1e-6);
  EXPECT_LE(
      LargestDifference(samples[3], at::tensor({0.16620791, -0.52568448, -0.28993696, 1.1181543})),
      1e-6);
}

// docs/reference/method.md 9, G5.
TEST(ScheduleTest, TimestepsOfTheReleaseAreRoundedSigmasAreNot) {
  const Schedule ten = Released(10);
  EXPECT_THAT(ten.timesteps, ElementsAre(1000, 980, 952, 920, 884, 832, 768, 680, 556, 358));
  EXPECT_NEAR(ten.sigmas[1], .9782609, 1e-7);
  const Schedule fifty = Released(50);
  EXPECT_EQ(fifty.timesteps[24], 844);
  EXPECT_EQ(fifty.timesteps[49], 92.5);
  const Schedule sixteen = Released(16);
  EXPECT_THAT(sixteen.timesteps, ElementsAre(1000, 988, 972, 956, 936, 916, 892, 864, 832, 796, 752,
                                             696, 624, 536, 416, 250));
  const std::vector<double> sigmas = {1,       .986842, .972222, .955882, .9375, .916667,
                                      .892857, .865385, .833333, .795455, .75,   .694444,
                                      .625,    .535714, .416667, .25,     0};
  EXPECT_THAT(sixteen.sigmas, ::testing::Pointwise(::testing::DoubleNear(1e-6), sigmas));
}

// docs/reference/wan22.md 5.2.
TEST(ScheduleTest, GridsOfUniPc) {
  const Schedule official = MakeSchedule(
      {.steps = 10, .shift = 5, .sampler = kUnipc, .timestep_rounding = TimestepRounding::kAuto});
  EXPECT_THAT(official.timesteps, ElementsAre(999, 978, 952, 920, 882, 833, 768, 681, 555, 356));
  const Schedule diffusers = MakeSchedule({.steps = 50,
                                           .shift = 5,
                                           .sampler = kUnipc,
                                           .timestep_rounding = TimestepRounding::kAuto,
                                           .sigma_grid = SigmaGrid::kDiffusers});
  EXPECT_EQ(diffusers.timesteps[0], 999);
  EXPECT_EQ(diffusers.timesteps[49], 96);
}

struct EulerGridCase {
  SamplingOptions options;
  std::vector<double> sigmas;
};

// What FlowMatchEulerDiscreteScheduler of Diffusers 0.42.1 makes of the same configuration.
TEST(ScheduleTest, GridOfDiffusersEuler) {
  const auto with = [](int steps, double shift, SigmaSpacing spacing, double terminal) {
    return SamplingOptions{.steps = steps,
                           .shift = shift,
                           .sigma_grid = SigmaGrid::kDiffusers,
                           .sigma_spacing = spacing,
                           .sigma_terminal = terminal};
  };
  using enum SigmaSpacing;
  const EulerGridCase table[] = {
      {with(4, 5, kShifted, 0), {1, 0.909707129, 0.717317462, 0.0244140662, 0}},
      {with(3, 1, kShifted, 0), {1, 0.500500023, 0.00100000005, 0}},
      {with(1, 5, kShifted, 0), {1, 0}},
      {with(5, 3, kShifted, 0.1), {1, 0.909515262, 0.773991048, 0.548656702, 0.100000001, 0}},
      {with(5, 5, kKarras, 0), {1, 0.467600286, 0.199289218, 0.0754435509, 0.0244140662, 0}},
      {with(4, 5, kExponential, 0), {1, 0.290099323, 0.0841576084, 0.0244140662, 0}},
      {with(4, 5, kKarras, 0.02), {1, 0.340316445, 0.0951324478, 0.0199999996, 0}}};
  for (const EulerGridCase& line : table) {
    const Schedule schedule = MakeSchedule(line.options);
    EXPECT_THAT(schedule.sigmas, ::testing::Pointwise(::testing::DoubleNear(1e-7), line.sigmas));
    for (size_t i = 0; i < schedule.timesteps.size(); ++i) {
      EXPECT_FLOAT_EQ(schedule.timesteps[i], static_cast<float>(1000 * line.sigmas[i]));
    }
  }
}

// Elsewhere those options would mean nothing.
TEST(ScheduleTest, SpacingBelongsToDiffusersEuler) {
  SamplingOptions options{.sigma_spacing = SigmaSpacing::kKarras};
  testing::ExpectThrowsWith<ConfigError>([&] { options.Validate(); }, {"sigma_spacing is karras"});
  options = {.sampler = kUnipc, .sigma_grid = SigmaGrid::kDiffusers, .sigma_terminal = 0.1};
  testing::ExpectThrowsWith<ConfigError>([&] { options.Validate(); }, {"sigma_terminal is 0.1"});
  options.sampler = SamplerKind::kEuler;
  EXPECT_NO_THROW(options.Validate());
}

// Diffusers 0.42.1; scripts/make_scheduler_fixture.py.
TEST(SchedulerParityTest, Diffusers) {
  const char* root = std::getenv("AIM_SOURCE_DIR");
  ASSERT_NE(root, nullptr) << "run by ctest, or set AIM_SOURCE_DIR to the repository";
  const WeightMap fixture =
      ReadSafetensors(std::string(root) + "/tests/data/scheduler_fixture.safetensors");
  int num_cases = 0;
  for (const auto& [name, samples] : fixture) {
    if (name.find('.') != std::string::npos) continue;
    const size_t second = name.rfind('_');
    const size_t first = name.find('_');
    SamplingOptions options{.steps = std::stoi(name.substr(first + 1)),
                            .shift = std::stod(name.substr(second + 1)),
                            .sampler = FromWord<SamplerKind>(name.substr(0, first), "fixture")};
    if (options.sampler == kUnipc) {
      options.sigma_grid = SigmaGrid::kDiffusers;
      options.timestep_rounding = TimestepRounding::kTrunc;
    }
    const Schedule schedule = MakeSchedule(options);
    for (size_t i = 0; i < schedule.timesteps.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      EXPECT_NEAR(schedule.timesteps[i], fixture.at(name + ".timesteps")[row].item<float>(), 1e-3);
      EXPECT_NEAR(schedule.sigmas[i], fixture.at(name + ".sigmas")[row].item<float>(), 1e-7);
    }
    EXPECT_LE(LargestDifference(RunToy(options), samples),
              1e-6 * samples.abs().max().item<double>())
        << name;
    ++num_cases;
  }
  EXPECT_EQ(num_cases, 16);
}

TEST(SchedulerTest, CleanAndVelocityPredictionsGiveTheSameSteps) {
  for (const SamplerKind kind : {SamplerKind::kEuler, kUnipc}) {
    const SamplingOptions options{.steps = 6, .shift = 5, .sampler = kind};
    const at::Tensor velocity = RunToy(options);
    const at::Tensor clean = RunToy(options, Prediction::kClean);
    EXPECT_LE(LargestDifference(velocity, clean), 5e-6) << ToWord(kind);
  }
}

TEST(SchedulerTest, UniPcOnTheFullGridIsFinite) {
  const SamplingOptions options{
      .steps = 5, .shift = 5, .sampler = kUnipc, .sigma_grid = SigmaGrid::kFull};
  EXPECT_TRUE(RunToy(options).isfinite().all().item<bool>());
}

TEST(SchedulerTest, RefusalsNameTheWords) {
  const auto set = [](const char* key, const char* word) {
    SamplingOptions options;
    SetOption(options, key, word);
  };
  testing::ExpectThrowsWith<ConfigError>([&] { set("sampler", "heun"); },
                                         {"sampler is \"heun\"", "euler|unipc"});
  testing::ExpectThrowsWith<ConfigError>([&] { set("sigma_grid", "karras"); },
                                         {"auto|full|official|diffusers"});
  testing::ExpectThrowsWith<ConfigError>([&] { set("timestep_rounding", "up"); },
                                         {"auto|none|bf16|trunc"});
  EXPECT_THROW(MakeSchedule({.steps = 0}), ConfigError);
}

}  // namespace
}  // namespace aim
