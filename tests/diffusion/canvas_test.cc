#include "aim/diffusion/canvas.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"

namespace aim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const DitOptions kDefaults;

CanvasShape ReleasedShape() { return {2, 11, 32, 32}; }

// "2x1 10x0" = two given frames, then ten open ones.
std::string Runs(const std::vector<bool>& given) {
  std::string text;
  for (size_t i = 0; i < given.size();) {
    size_t end = i;
    while (end < given.size() && given[end] == given[i]) ++end;
    text += (text.empty() ? "" : " ") + std::to_string(end - i) + (given[i] ? "x1" : "x0");
    i = end;
  }
  return text;
}

struct ModeCase {
  const char* mode;
  const char* runs;
};

class ModeTest : public ::testing::TestWithParam<ModeCase> {};

// docs/reference/method.md 9, G4, T = 41.
TEST_P(ModeTest, GivenFramesAreThoseOfTheRelease) {
  const CanvasPlan plan = PlanCanvas(FindMode(GetParam().mode), ReleasedShape(), kDefaults);
  EXPECT_EQ(Runs(plan.given), GetParam().runs);
}

INSTANTIATE_TEST_SUITE_P(All, ModeTest,
                         ::testing::Values(ModeCase{"i2va", "1x1 10x0 1x1 10x0 1x1 10x0 1x1 10x0"},
                                           ModeCase{"v2a", "12x1 10x0 12x1 10x0"},
                                           ModeCase{"a2v", "1x1 10x0 12x1 10x0 11x1"},
                                           ModeCase{"i2v", "1x1 10x0 1x1 10x0"},
                                           ModeCase{"i2a", "2x1 10x0 2x1 10x0"},
                                           ModeCase{"v1_given", "12x1 10x0 1x1 10x0 1x1 10x0"}),
                         [](const auto& mode_info) { return mode_info.param.mode; });

TEST(CanvasTest, AnUnknownFirstPoseIsOpen) {
  EXPECT_EQ(Runs(PlanCanvas(FindMode("v2a"), ReleasedShape(), kDefaults, false).given),
            "11x1 11x0 11x1 11x0");
  // What is given whole stays given.
  EXPECT_EQ(Runs(PlanCanvas(FindMode("a2v"), ReleasedShape(), kDefaults, false).given),
            "1x1 10x0 12x1 10x0 11x1");
}

TEST(CanvasTest, ModesHoldForAnyNumberOfViews) {
  const auto runs = [](const char* mode, int num_views) {
    return Runs(PlanCanvas(FindMode(mode), {num_views, 11, 32, 32}, kDefaults).given);
  };
  EXPECT_EQ(runs("i2v", 1), "1x1 10x0");
  EXPECT_EQ(runs("i2a", 1), "2x1 10x0");
  EXPECT_EQ(runs("v1_given", 1), "12x1 10x0");
  EXPECT_EQ(runs("v2a", 3), "12x1 10x0 12x1 10x0 12x1 10x0");
  EXPECT_EQ(runs("v1_given", 3), "12x1 10x0 1x1 10x0 1x1 10x0 1x1 10x0 1x1 10x0");
}

TEST(CanvasTest, FramePositionsRunOnOrRestart) {
  DitOptions options;
  const CanvasShape shape{2, 3, 8, 8};
  EXPECT_THAT(PlanCanvas(FindMode("i2a"), shape, options).layout.frame_positions,
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  options.frame_positions = FramePositions::kSegment;
  EXPECT_THAT(PlanCanvas(FindMode("i2a"), shape, options).layout.frame_positions,
              ElementsAre(0, 0, 1, 2, 0, 0, 1, 2));
  EXPECT_THAT(PlanCanvas(FindMode("i2a"), shape, options).layout.segment_ids,
              ElementsAre(0, 1, 1, 1, 2, 3, 3, 3));
}

TEST(CanvasTest, GathersSegmentsInOrder) {
  const CanvasShape shape{2, 3, 1, 1};
  const CanvasPlan plan = PlanCanvas(FindMode("i2a"), shape, kDefaults);
  // Value = 100 view + 10 kind + frame.
  const at::Tensor latents =
      (at::arange(2).view({2, 1, 1}) * 100 + at::arange(2).view({1, 2, 1}) * 10 + at::arange(3))
          .view({1, 2, 2, 1, 3, 1, 1});
  const at::Tensor canvas = GatherCanvas(plan, latents).flatten();
  const std::vector<int64_t> values(canvas.const_data_ptr<int64_t>(),
                                    canvas.const_data_ptr<int64_t>() + canvas.numel());
  EXPECT_THAT(values, ElementsAre(0, 10, 11, 12, 100, 110, 111, 112));
}

TEST(CanvasTest, GivenFramesHaveTimestepZeroIfTheModelMarksThem) {
  DitOptions options;
  const at::Tensor given = at::tensor({1.0f, 0.0f}).view({1, 2});
  EXPECT_TRUE(at::equal(CanvasTimesteps(options, at::tensor({0.5f}), given),
                        at::tensor({500.0f}).view({1, 1})));
  options.timestep_mode = TimestepMode::kGivenZero;
  EXPECT_TRUE(at::equal(CanvasTimesteps(options, at::tensor({0.5f}), given),
                        at::tensor({0.0f, 500.0f}).view({1, 2})));
}

TEST(ModeTest, RefusalsNameTheModes) {
  try {
    CheckTrained("i2v", {"i2a", "v2a"}, false);
    FAIL() << "accepted an untrained mode";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), ::testing::AllOf(HasSubstr("i2v"), HasSubstr("i2a, v2a"),
                                               HasSubstr("--allow-untrained")));
  }
  CheckTrained("i2v", {"i2a"}, true);
  EXPECT_THROW(FindMode("i2x"), ConfigError);
}

}  // namespace
}  // namespace aim
