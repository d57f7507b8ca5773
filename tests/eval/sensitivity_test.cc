#include "eval/sensitivity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "aim/eval/rollout_merge.h"
#include "eval/point_rollout.h"
#include "eval/timeless.h"
#include "support/case_name.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectSameRollout;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::Lines;
using testing::RolloutTest;
using testing::SmallOptions;

RolloutOptions Asked(const std::vector<std::string>& sensitivity, int replan = 0) {
  RolloutOptions options = SmallOptions("model");
  options.replan = replan;
  options.sensitivity = sensitivity;
  return options;
}

TEST(SensitivityVariantsTest, AllIsEveryKnobThatMatters) {
  EXPECT_EQ(
      SensitivityVariants(Asked({"all", "hold_steps=0", "min_confidence=0.5"})),
      (std::vector<std::string>{"replan=8", "ramp_frames=4", "hold_steps=0", "hold_steps=16",
                                "max_ik_failures=2", "max_ik_failures=20", "min_confidence=0.5"}));
  RolloutOptions options = Asked({"all"}, 6);
  options.async = 4;  // nothing below it
  EXPECT_EQ(
      SensitivityVariants(options),
      (std::vector<std::string>{"replan=12", "ramp_frames=4", "max_ik_failures=2",
                                "max_ik_failures=20", "max_steps_factor=1", "max_steps_factor=2"}));
  EXPECT_TRUE(SensitivityVariants(Asked({})).empty());
}

TEST(SensitivityVariantsTest, AValueIsPlayedOnceHoweverItIsSpelled) {
  EXPECT_EQ(SensitivityVariants(Asked({"replan=4", "replan=+4", "replan=4", "all"}, 8)).front(),
            "replan=4");
  EXPECT_EQ(SensitivityVariants(
                Asked({"max_steps_factor=2.50", "max_steps_factor=25e-1", "replan=+4"}, 8)),
            (std::vector<std::string>{"max_steps_factor=2.5", "replan=4"}));
}

TEST(SensitivityVariantsTest, ReferencesHaveNoRamp) {
  RolloutOptions options = Asked({"all"});
  options.policy = "replay";
  EXPECT_EQ(SensitivityVariants(options),
            (std::vector<std::string>{"replan=8", "hold_steps=0", "hold_steps=16",
                                      "max_ik_failures=2", "max_ik_failures=20"}));
  options.replan = 8;
  for (const char* variant : {"ramp_frames=4", "async=4", "min_confidence=0.5"}) {
    options.sensitivity = {variant};
    ExpectThrowsWith<ConfigError>([&] { SensitivityVariants(options); },
                                  {variant, "--policy replay"});
  }
  options.replan = 0;
  options.sensitivity = {"hold_steps=1"};
  EXPECT_EQ(SensitivityVariants(options), options.sensitivity);
}

TEST(SensitivityVariantsTest, OneKnobIsTurned) {
  const RolloutOptions options = Asked({}, 6);
  RolloutOptions expected = options;
  EXPECT_EQ(OptionsToJson(OptionsOfVariant(options, "")), OptionsToJson(expected));
  expected.max_steps_factor = 2.5;
  EXPECT_EQ(OptionsToJson(OptionsOfVariant(options, "max_steps_factor=2.5")),
            OptionsToJson(expected));
}

struct BadVariant {
  std::string name;
  std::string variant;
  std::vector<std::string> words;
};

class BadVariantTest : public ::testing::TestWithParam<BadVariant> {};

TEST_P(BadVariantTest, IsRefused) {
  ExpectThrowsWith<ConfigError>([] { SensitivityVariants(Asked({GetParam().variant}, 6)); },
                                GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadVariantTest,
    ::testing::Values(
        BadVariant{"NoKnob", "image_size=64", {"--sensitivity", "image_size", "max_ik_failures"}},
        BadVariant{"Mistyped", "hold_step=4", {"did you mean hold_steps?"}},
        BadVariant{"NoValue", "replan", {"KEY=VALUE", "give it a value"}},
        BadVariant{"OutOfRange", "max_ik_failures=0", {"--sensitivity is 0", "[1, 10000]"}},
        BadVariant{"NotTogether", "async=9", {"async is 9 with --replan 6"}},
        BadVariant{"HoldOfReplanning", "hold_steps=4", {"hold_steps=4", "--replan 6"}},
        BadVariant{"TheSame", "replan=6", {"the rollout's own value"}}),
    testing::CaseName());

class SensitivityTest : public RolloutTest {};

// Leaves, and comes back when it is asked again.
RolloutParts SlowParts() {
  RolloutParts parts;
  parts.make_env = [](const EnvOptions&) { return std::make_unique<testing::PointEnv>(); };
  parts.make_model_policy = [] {
    return std::make_unique<testing::FunctionPolicy>([](const Clip& seen, const PlanRequest& at) {
      const double x_m = at.replan == 0 ? 0.5 : -0.5;
      ToolPose away = seen.poses[0];
      away.world_from_tool.translation.x() += x_m;
      return PlanFromPoses({seen.poses[0], away}, 0.12);
    });
  };
  return parts;
}

TEST_F(SensitivityTest, VariantsArePairedWithTheRolloutAndChangeNothingElse) {
  RolloutOptions options = Asked({}, 2);
  const nlohmann::json plain = Roll("plain", options);
  options.sensitivity = {"max_steps_factor=3", "replan=0"};
  options.num_videos = 1;
  options.picture_size = 32;
  const nlohmann::json report = Roll("a", options);
  EXPECT_EQ(Text("a/episodes.csv"), Text("plain/episodes.csv"));
  EXPECT_EQ(Text("a/null.csv"), Text("plain/null.csv"));
  EXPECT_EQ(report["tasks"][0]["rate"], plain["tasks"][0]["rate"]);
  ASSERT_EQ(report["sensitivity"].size(), 2u);
  const nlohmann::json& whole = report["sensitivity"][1];
  EXPECT_EQ(whole["variant"], "replan=0");
  EXPECT_EQ(whole["pooled"]["n"], 8);
  EXPECT_EQ(whole["difference"]["mean"], 0.0);
  EXPECT_TRUE(whole["underpowered"]);
  EXPECT_TRUE(plain["sensitivity"].empty());
  EXPECT_EQ(report["filmstrips"].size(), 2u);  // of the rollout's own trials
  EXPECT_TRUE(std::filesystem::exists(folder_ / "a/trials/reach_0_max_steps_factor_3.json"));
  for (const char* words : {"Sensitivity to the harness", "max_steps_factor=3", "(underpowered)",
                            "Frames executed before a new look", "whole plan"}) {
    EXPECT_THAT(Text("a/report.html"), HasSubstr(words));
  }

  // Asked for in shards of several workers.
  options.workers = 2;
  RolloutMergeOptions merge;
  for (const char* shard : {"0/3", "1/3", "2/3"}) {
    options.shard = shard;
    const std::string name = std::string("shard") + shard[0];
    Roll(name, options);
    merge.folders.push_back((folder_ / name).string());
  }
  RunContext run = Context("merged");
  RunRolloutMerge(merge, run);
  ExpectSameRollout(folder_ / "a", folder_ / "merged");
}

// A policy that leaves and comes back: it succeeds where it is looked at twice.
TEST_F(SensitivityTest, AKnobThatMattersIsSeen) {
  RolloutOptions options = Asked({"replan=0"}, 1);
  options.task = {"stay"};
  options.episodes = 8;
  options.hold_steps = 0;
  RunContext run = Context("a");
  const RolloutReport report = RunRollout(options, run, SlowParts()).value();
  ASSERT_EQ(report.sensitivity.size(), 1u);
  const SensitivityReport& whole = report.sensitivity[0];
  EXPECT_EQ(report.mean_success, 1);
  EXPECT_EQ(whole.mean_success, 0);
  EXPECT_EQ(whole.paired.difference.mean, -1);
  EXPECT_EQ(whole.paired.test.only_second, 8);
  EXPECT_FALSE(whole.paired.test.underpowered);
  EXPECT_NEAR(whole.p_holm, 2 * std::pow(0.5, 8), 1e-12);
}

// Python: int(hashlib.blake2b(b"reach|0|0", digest_size=8).hexdigest(), 16) % 10**6 + 1.
TEST_F(SensitivityTest, SeedsMayBeHashes) {
  RolloutOptions options = SmallOptions("still");
  options.seed_rule = SeedRule::kBlake2b;
  Roll("a", options);
  const std::vector<std::string> lines = Lines(Text("a/episodes.csv"));
  EXPECT_EQ(lines[1].rfind("reach,0,908841,", 0), 0u) << lines[1];
  EXPECT_EQ(lines[2].rfind("reach,1,595954,", 0), 0u) << lines[2];
}

}  // namespace
}  // namespace aim
