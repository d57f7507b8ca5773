#include "aim/eval/trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "aim/base/error.h"
#include "eval/point_env.h"

namespace aim {
namespace {

using testing::FunctionPolicy;
using testing::PointEnv;
using testing::PointPose;

const TrialSpec kScene = {.task = "reach", .variation = 1, .seed = 5};

ReplayPolicy Expert(PointEnv& env, const TrialSpec& scene = kScene) {
  return ReplayPolicy(env.Demo(scene.task, scene.variation, scene.seed).commands, 0.12);
}

TrialRules Rules(int horizon = 0) {
  TrialRules rules;
  rules.execution.horizon = horizon;
  rules.max_env_steps = 15;
  return rules;
}

TEST(Trial, ExpertSucceedsInOneWholePlan) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  const TrialResult result = PlayTrial(env, expert, kScene, 1, Rules());
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.termination, Termination::kSuccess);
  EXPECT_EQ(result.env_steps, PointEnv::kDemoSteps);
  EXPECT_EQ(result.replans, 0);
  EXPECT_EQ(result.tracking_mm, 0);
  EXPECT_EQ(result.targets.size(), 10u);
  EXPECT_EQ(result.prompt, "go to the \"goal\", please");
}

TEST(Trial, AnotherScenesExpertFails) {
  PointEnv env;
  ReplayPolicy other = Expert(env, {.task = "reach", .variation = 1, .seed = 6});
  const TrialResult result = PlayTrial(env, other, kScene, 1, Rules());
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.termination, Termination::kPlanEnd);
  EXPECT_EQ(result.env_steps, PointEnv::kDemoSteps + 8);  // the hold was used up
}

// A slow arm needs the hold; without it the same plan fails.
TEST(Trial, HoldingTheFinalPoseDecides) {
  PointEnv env({.lag_env_steps = 3});
  ReplayPolicy expert = Expert(env);
  TrialRules rules = Rules();
  const TrialResult held = PlayTrial(env, expert, kScene, 1, rules);
  EXPECT_TRUE(held.success);
  EXPECT_EQ(held.env_steps, PointEnv::kDemoSteps + 3);
  EXPECT_GT(held.tracking_mm, 1);
  rules.hold_env_steps = 0;
  const TrialResult dropped = PlayTrial(env, expert, kScene, 1, rules);
  EXPECT_FALSE(dropped.success);
  EXPECT_EQ(dropped.termination, Termination::kPlanEnd);
}

TEST(Trial, ReplanningCountsPlansAndEndsAtSuccess) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  const TrialResult result = PlayTrial(env, expert, kScene, 1, Rules(3));
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.env_steps, PointEnv::kDemoSteps);
  EXPECT_EQ(result.replans, 3);  // plans at steps 0, 3, 6 and 9
  ASSERT_EQ(result.plans.size(), 4u);
  EXPECT_EQ(result.plans[3].first_env_step, 9);
}

TEST(Trial, BudgetEndsReplanning) {
  PointEnv env;
  StillPolicy still(5, 0.12);
  const TrialResult result = PlayTrial(env, still, kScene, 1, Rules(4));
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.termination, Termination::kTimeout);
  EXPECT_EQ(result.env_steps, 15);
  EXPECT_EQ(result.replans, 3);
}

TEST(Trial, UnreachableTargetsEndItOnlyInARow) {
  PointEnv env;
  const Eigen::Vector3d far(0, 0, 5);
  const Eigen::Vector3d near(0, 0, 0.3);
  FunctionPolicy always([&](const Clip&, const PlanRequest&) {
    return PlanFromPoses(std::vector<ToolPose>(12, PointPose(far)), 0.12);
  });
  const TrialResult stopped = PlayTrial(env, always, kScene, 1, Rules());
  EXPECT_EQ(stopped.termination, Termination::kIkFailures);
  EXPECT_EQ(stopped.ik_failures, 5);
  EXPECT_EQ(stopped.env_steps, 5);

  FunctionPolicy sometimes([&](const Clip&, const PlanRequest&) {
    std::vector<ToolPose> poses;
    for (int i = 0; i < 12; ++i) poses.push_back(PointPose(i % 4 == 3 ? near : far));
    return PlanFromPoses(poses, 0.12);
  });
  const TrialResult finished = PlayTrial(env, sometimes, kScene, 1, Rules());
  EXPECT_EQ(finished.termination, Termination::kPlanEnd);
  EXPECT_EQ(finished.ik_failures, 8);
}

// Plans of the expert that come three steps late: what they meant for the past is left out.
TEST(Trial, APlanComesWhileTheOneBeforeIsExecuted) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  const TrialResult in_time = PlayTrial(env, expert, kScene, 1, Rules(4));
  TrialRules rules = Rules(4);
  rules.plan_delay_steps = 3;
  rules.max_env_steps = 25;
  std::vector<int> frames;
  FunctionPolicy late([&](const Clip& seen, const PlanRequest& request) {
    frames.push_back(request.frame);
    // Its clock stood still while the first plan was made.
    return expert.Act(seen, {.frame = std::max(0, request.frame - 3)});
  });
  const TrialResult result = PlayTrial(env, late, kScene, 1, rules);
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.env_steps, 3 + PointEnv::kDemoSteps);
  EXPECT_EQ(frames, (std::vector<int>{0, 4, 8, 12}));
  ASSERT_EQ(result.plans.size(), 3u);  // the last one never came
  EXPECT_EQ(result.plans[0].first_env_step, 3);
  EXPECT_EQ(result.plans[1].first_env_step, 4);
  EXPECT_EQ(result.plans[1].begin_env_step, 7);
  // The same way, after standing still.
  for (size_t k = 0; k < 10; ++k) {
    EXPECT_EQ(result.targets[k + 3].world_from_tool.translation,
              in_time.targets[k].world_from_tool.translation);
  }
  // Steps 3 to 12, of what was seen at 0 (four), 4 (four) and 8 (two).
  EXPECT_DOUBLE_EQ(in_time.stale_steps, (6 + 6 + 1) / 10.0);
  EXPECT_DOUBLE_EQ(result.stale_steps, (3 + 4 + 5 + 6 + 3 + 4 + 5 + 6 + 3 + 4) / 10.0);
}

TEST(Trial, OneThatEndsBeforeItsFirstPlanHasItAllTheSame) {
  PointEnv env;
  StillPolicy still(5, 0.12);
  TrialRules rules = Rules(4);
  rules.plan_delay_steps = 4;
  const TrialResult result = PlayTrial(env, still, {"stay", 0, 5}, 1, rules);
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.env_steps, 1);
  EXPECT_EQ(result.plans.size(), 1u);
}

TEST(Trial, LimitsAreKeptAndCounted) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  const TrialResult free = PlayTrial(env, expert, kScene, 1, Rules());
  const Eigen::Vector3d start = env.Reset("reach", 1, 5).tool().world_from_tool.translation;
  const Eigen::Vector3d goal = free.targets.back().world_from_tool.translation;
  const double step_m = (goal - start).norm() / PointEnv::kDemoSteps;
  TrialRules rules = Rules();
  rules.limits.max_speed_m_s = step_m / rules.period_s * 0.75;
  const TrialResult slow = PlayTrial(env, expert, kScene, 1, rules);
  EXPECT_TRUE(slow.success);
  EXPECT_EQ(slow.env_steps, 14);  // ten steps, at three quarters of the speed
  EXPECT_GE(slow.limited_by_speed, 10);
  EXPECT_EQ(slow.limited_by_workspace, 0);
  rules.limits = {.workspace = {-1, 1, -1, 1, 0.2, 1}};
  const TrialResult high = PlayTrial(env, expert, kScene, 1, rules);
  EXPECT_FALSE(high.success);  // the goal is below
  EXPECT_EQ(high.limited_by_speed, 0);
  EXPECT_GE(high.limited_by_workspace, 5);
  for (const ToolPose& target : high.targets) {
    EXPECT_GE(target.world_from_tool.translation.z(), 0.2);
  }
}

// A simulator whose steps take as long as their motion spends its time sooner.
TEST(Trial, TheBudgetIsSimulatorTime) {
  PointEnv env({.step_s = 0.24});
  StillPolicy still(5, 0.12);
  TrialRules rules = Rules(4);
  rules.max_time_s = 15 * rules.period_s;
  const TrialResult result = PlayTrial(env, still, kScene, 1, rules);
  EXPECT_EQ(result.termination, Termination::kTimeout);
  EXPECT_EQ(result.env_steps, 8);
  EXPECT_NEAR(result.sim_s, 8 * 0.24, 1e-9);
  PointEnv usual({.step_s = 0.12});
  EXPECT_EQ(PlayTrial(usual, still, kScene, 1, rules).env_steps, 15);
}

TEST(Trial, PolicySeesTheSceneAndItsOwnHistory) {
  PointEnv env;
  std::vector<Clip> seen;
  std::vector<PlanRequest> requests;
  FunctionPolicy policy([&](const Clip& clip, const PlanRequest& request) {
    seen.push_back(clip);
    requests.push_back(request);
    return PlanFromPoses(std::vector<ToolPose>(9, clip.poses[0]), 0.12);
  });
  PlayTrial(env, policy, kScene, 77, Rules(6));
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(seen[0].views.size(), 2u);
  EXPECT_EQ(seen[0].width, 8);
  EXPECT_EQ(requests[1].frame, 6);
  EXPECT_EQ(requests[2].replan, 2);
  EXPECT_EQ(requests[2].seed, 77u);
}

TEST(Trial, ConfidenceCoversAllPlans) {
  PointEnv env;
  FunctionPolicy policy([&](const Clip& seen, const PlanRequest&) {
    Plan plan = PlanFromPoses(std::vector<ToolPose>(4, seen.poses[0]), 0.12);
    plan.frames[1].confidence = 0.5;
    plan.frames[2].confidence = 0.1;
    plan.frames[3].decodable = false;
    plan.frames[3].confidence = 0;
    return plan;
  });
  const TrialResult result = PlayTrial(env, policy, kScene, 1, Rules());
  EXPECT_DOUBLE_EQ(result.confidence_mean, 0.4);
  EXPECT_EQ(result.confidence_min, 0);
  EXPECT_EQ(result.undecodable, 0.25);
}

TEST(Trial, SameScenesHaveTheSameFirstFrame) {
  PointEnv env;
  StillPolicy still(2, 0.12);
  const auto hash = [&](uint64_t seed) {
    return PlayTrial(env, still, {"reach", 0, seed}, 1, Rules()).first_frame_hash;
  };
  EXPECT_EQ(hash(5), hash(5));
  EXPECT_NE(hash(5), hash(6));
}

TEST(Trial, ErrorsOfThePolicyPassThrough) {
  PointEnv env;
  FunctionPolicy policy([](const Clip&, const PlanRequest&) { return Plan{}; });
  EXPECT_THROW(PlayTrial(env, policy, kScene, 1, Rules()), InputError);
}

TEST(Trial, JsonRoundTrip) {
  PointEnv env;
  ReplayPolicy expert = Expert(env);
  TrialResult result = PlayTrial(env, expert, kScene, 1, Rules(4));
  result.error = "a \"quoted\" word";
  const nlohmann::json json = ToJson(result);
  EXPECT_EQ(ToJson(TrialResultFromJson(json, "trial")), json);
}

TEST(Trial, DamagedJsonIsRefused) {
  try {
    TrialResultFromJson({{"success", true}}, "trials/reach_0.json");
    FAIL() << "accepted";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("trials/reach_0.json"));
  }
}

}  // namespace
}  // namespace aim
