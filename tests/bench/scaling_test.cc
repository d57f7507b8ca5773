// Training on paper: the page has what the program prints, and the formulas hold where something
// was measured.
#include "scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/bundle/bundle.h"
#include "support/source_dir.h"

namespace aim {
namespace {

using ::testing::HasSubstr;

DitOptions Released() {
  BundleConfig config;
  const auto path = testing::SourceDir() / "configs/model/action_images_5b.toml";
  ApplyOptions(config, ReadToml(path), path.string());
  return config.dit;
}

DitOptions Small(int dim, int ffn_dim, int num_layers) {
  DitOptions options;
  options.dim = dim;
  options.ffn_dim = ffn_dim;
  options.num_layers = num_layers;
  return options;
}

TEST(ScalingTest, ThePageHasTheTablesThatTheProgramPrints) {
  const std::string page = ReadFile(testing::SourceDir() / "docs/scaling.md");
  std::istringstream tables(ScalingTables(Released(), {}));
  int num_lines = 0;
  for (std::string line; std::getline(tables, line); ++num_lines)
    EXPECT_THAT(page, HasSubstr(line));
  EXPECT_GT(num_lines, 30);
}

// docs/model.md: 104 in matrices, 47 in self-attention, 2 in cross-attention.
TEST(ScalingTest, AForwardPassOfTheReleasedNetwork) {
  EXPECT_NEAR(ForwardTflop(Released(), 11264, 512), 153, 1);
}

// Peaks of aim-train --dry-run, float32, one worker, 8 samples of 320 tokens against 1:
// docs/scaling.md.
TEST(ScalingTest, ActivationsAreThoseMeasured) {
  const auto of_seven = [](const DitOptions& dit) {
    TrainOptions options;
    options.dtype = ComputeDtype::kF32;
    options.num_workers = 1;
    options.batch_size = options.microbatch = 7;
    return static_cast<double>(
        EstimateMemory(dit, options, {.tokens = 320, .text_rows = 16}).activations);
  };
  EXPECT_NEAR(of_seven(Small(256, 1024, 6)), 895.3e6 - 490.5e6, 0.1 * 405e6);
  EXPECT_NEAR(of_seven(Small(512, 2048, 8)), 2425.6e6 - 1409.5e6, 0.1 * 1016e6);
}

// Rates at which those two networks were trained on one core differ by less than the formula's
// count of what a sample takes, a factor of five.
TEST(ScalingTest, StepsOfTwoSizesTakeTheTimeThatTheCountSays) {
  const double small = 8 * 3 * ForwardTflop(Small(256, 1024, 6), 320, 16) / 1.185;
  const double large = 8 * 3 * ForwardTflop(Small(512, 2048, 8), 320, 16) / 5.178;
  EXPECT_NEAR(large / small, 1, 0.2);
}

TEST(ScalingTest, MoreCardsNeedNoMoreAndExchangesFollowTheStage) {
  const DitOptions released = Released();
  constexpr int64_t kTrained = 1'000'000'000;
  ScalingGiven given{.near_gb_s = 4, .far_gb_s = 4};
  EXPECT_EQ(EstimateStep(released, given, 1, 0, kTrained).exchange_s, 0);
  EXPECT_DOUBLE_EQ(EstimateStep(released, given, 2, 0, kTrained).exchange_s, 2 * 0.5);
  EXPECT_DOUBLE_EQ(EstimateStep(released, given, 2, 1, kTrained).exchange_s, 2 * 0.5);
  EXPECT_DOUBLE_EQ(EstimateStep(released, given, 2, 2, kTrained).exchange_s, 17 * 0.5);
  EXPECT_EQ(EstimateStep(released, given, 2, 2, kTrained).samples_per_card, 16);
  EXPECT_EQ(EstimateStep(released, given, 64, 2, kTrained).samples_per_card, 1);
}

}  // namespace
}  // namespace aim
