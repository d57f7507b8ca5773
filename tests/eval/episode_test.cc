#include "aim/eval/episode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "aim/base/error.h"
#include "eval/point_env.h"

namespace aim {
namespace {

using testing::FunctionPolicy;
using testing::PointEnv;
using testing::PointPose;

const EpisodeSpec kScene = {.task = "reach", .variation = 1, .seed = 5};

ReplayPolicy Expert(PointEnv& env, const EpisodeSpec& scene = kScene) {
  return ReplayPolicy(env.Demo(scene.task, scene.variation, scene.seed).commands, 0.12);
}

EpisodeRules Rules(int horizon = 0) {
  EpisodeRules rules;
  rules.execution.horizon = horizon;
  rules.max_env_steps = 15;
  return rules;
}

TEST(Episode, ExpertSucceedsInOneWholePlan) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  const EpisodeResult result = RunEpisode(env, expert, kScene, 1, Rules());
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.termination, Termination::kSuccess);
  EXPECT_EQ(result.env_steps, PointEnv::kDemoSteps);
  EXPECT_EQ(result.replans, 0);
  EXPECT_EQ(result.tracking_mm, 0);
  EXPECT_EQ(result.targets.size(), 10u);
  EXPECT_EQ(result.prompt, "go to the \"goal\", please");
}

TEST(Episode, AnotherScenesExpertFails) {
  PointEnv env;
  ReplayPolicy other = Expert(env, {.task = "reach", .variation = 1, .seed = 6});
  const EpisodeResult result = RunEpisode(env, other, kScene, 1, Rules());
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.termination, Termination::kPlanEnd);
  EXPECT_EQ(result.env_steps, PointEnv::kDemoSteps + 8);  // the hold was used up
}

// A slow arm needs the hold; without it the same plan fails.
TEST(Episode, HoldingTheFinalPoseDecides) {
  PointEnv env({.lag_env_steps = 3});
  ReplayPolicy expert = Expert(env);
  EpisodeRules rules = Rules();
  const EpisodeResult held = RunEpisode(env, expert, kScene, 1, rules);
  EXPECT_TRUE(held.success);
  EXPECT_EQ(held.env_steps, PointEnv::kDemoSteps + 3);
  EXPECT_GT(held.tracking_mm, 1);
  rules.hold_env_steps = 0;
  const EpisodeResult dropped = RunEpisode(env, expert, kScene, 1, rules);
  EXPECT_FALSE(dropped.success);
  EXPECT_EQ(dropped.termination, Termination::kPlanEnd);
}

TEST(Episode, ReplanningCountsPlansAndEndsAtSuccess) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  const EpisodeResult result = RunEpisode(env, expert, kScene, 1, Rules(3));
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.env_steps, PointEnv::kDemoSteps);
  EXPECT_EQ(result.replans, 3);  // plans at steps 0, 3, 6 and 9
  ASSERT_EQ(result.plans.size(), 4u);
  EXPECT_EQ(result.plans[3].first_env_step, 9);
}

TEST(Episode, BudgetEndsReplanning) {
  PointEnv env;
  StillPolicy still(5, 0.12);
  const EpisodeResult result = RunEpisode(env, still, kScene, 1, Rules(4));
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.termination, Termination::kTimeout);
  EXPECT_EQ(result.env_steps, 15);
  EXPECT_EQ(result.replans, 3);
}

TEST(Episode, UnreachableTargetsEndItOnlyInARow) {
  PointEnv env;
  const Eigen::Vector3d far(0, 0, 5);
  const Eigen::Vector3d near(0, 0, 0.3);
  FunctionPolicy always([&](const PolicyInput&) {
    return PlanFromPoses(std::vector<ToolPose>(12, PointPose(far)), 0.12);
  });
  const EpisodeResult stopped = RunEpisode(env, always, kScene, 1, Rules());
  EXPECT_EQ(stopped.termination, Termination::kIkFailures);
  EXPECT_EQ(stopped.ik_failures, 5);
  EXPECT_EQ(stopped.env_steps, 5);

  FunctionPolicy sometimes([&](const PolicyInput&) {
    std::vector<ToolPose> poses;
    for (int i = 0; i < 12; ++i) poses.push_back(PointPose(i % 4 == 3 ? near : far));
    return PlanFromPoses(poses, 0.12);
  });
  const EpisodeResult finished = RunEpisode(env, sometimes, kScene, 1, Rules());
  EXPECT_EQ(finished.termination, Termination::kPlanEnd);
  EXPECT_EQ(finished.ik_failures, 8);
}

TEST(Episode, PolicySeesTheSceneAndItsOwnHistory) {
  PointEnv env;
  std::vector<PolicyInput> inputs;
  FunctionPolicy policy([&](const PolicyInput& input) {
    inputs.push_back(input);
    return PlanFromPoses(std::vector<ToolPose>(9, input.tool), 0.12);
  });
  RunEpisode(env, policy, kScene, 77, Rules(6));
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_EQ(inputs[0].views.size(), 2u);
  EXPECT_EQ(inputs[0].width, 8);
  EXPECT_EQ(inputs[1].frame, 6);
  EXPECT_EQ(inputs[2].replan, 2);
  EXPECT_EQ(inputs[2].seed, 77u);
}

TEST(Episode, ConfidenceCoversAllPlans) {
  PointEnv env;
  FunctionPolicy policy([&](const PolicyInput& input) {
    Plan plan = PlanFromPoses(std::vector<ToolPose>(4, input.tool), 0.12);
    plan.frames[1].confidence = 0.5;
    plan.frames[2].confidence = 0.1;
    plan.frames[3].decodable = false;
    plan.frames[3].confidence = 0;
    return plan;
  });
  const EpisodeResult result = RunEpisode(env, policy, kScene, 1, Rules());
  EXPECT_DOUBLE_EQ(result.confidence_mean, 0.4);
  EXPECT_EQ(result.confidence_min, 0);
  EXPECT_EQ(result.undecodable, 0.25);
}

TEST(Episode, SameScenesHaveTheSameFirstFrame) {
  PointEnv env;
  StillPolicy still(2, 0.12);
  const auto hash = [&](uint64_t seed) {
    return RunEpisode(env, still, {"reach", 0, seed}, 1, Rules()).first_frame_hash;
  };
  EXPECT_EQ(hash(5), hash(5));
  EXPECT_NE(hash(5), hash(6));
}

TEST(Episode, ErrorsOfThePolicyPassThrough) {
  PointEnv env;
  FunctionPolicy policy([](const PolicyInput&) { return Plan{}; });
  EXPECT_THROW(RunEpisode(env, policy, kScene, 1, Rules()), InputError);
}

TEST(Episode, JsonRoundTrip) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  EpisodeResult result = RunEpisode(env, expert, kScene, 1, Rules(4));
  result.error = "a \"quoted\" word";
  const nlohmann::json json = ToJson(result);
  EXPECT_EQ(ToJson(EpisodeResultFromJson(json, "trial")), json);
}

TEST(Episode, DamagedJsonIsRefused) {
  try {
    EpisodeResultFromJson({{"success", true}}, "trials/reach_0.json");
    FAIL() << "accepted";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("trials/reach_0.json"));
  }
}

}  // namespace
}  // namespace aim
