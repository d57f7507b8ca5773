#include "aim/control/plan_executor.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "aim/base/error.h"

namespace aim {
namespace {

constexpr double kStepS = 0.1;

ToolPose At(double x_m) {
  ToolPose pose;
  pose.world_from_tool.translation = {x_m, 0, 0};
  return pose;
}

// Frame i is at x = begin + i.
Plan Line(double begin, int num_frames) {
  std::vector<ToolPose> poses;
  for (int i = 0; i < num_frames; ++i) poses.push_back(At(begin + i));
  return PlanFromPoses(poses, kStepS);
}

double X(const PlanExecutor& executor, int step) {
  return executor.TargetAt(step).world_from_tool.translation.x();
}

TEST(PlanExecutorTest, APlanInTimeIsItsTargets) {
  const Plan plan = Line(5, 7);
  for (const int ramp_frames : {0, 3}) {
    const ExecutionOptions options{.ramp_frames = ramp_frames};
    PlanExecutor executor(options, kStepS);
    executor.Take(plan, 4, 4, At(2));
    const std::vector<ToolPose> targets = ExecutionTargets(plan, At(2), kStepS, options);
    for (int k = 0; k < 6; ++k) {
      EXPECT_EQ(X(executor, 4 + k),
                targets[static_cast<size_t>(k)].world_from_tool.translation.x());
    }
    EXPECT_EQ(executor.end_step(), 10);
    EXPECT_EQ(X(executor, 50), 11);  // holds
  }
}

// What a late plan meant for the past is left out: step s has the pose of frame s + 1 - first_step.
TEST(PlanExecutorTest, ALatePlanBeginsWhereItWouldBe) {
  PlanExecutor executor({}, kStepS);
  executor.Take(Line(0, 9), 10, 13, At(0));
  for (int step = 13; step < 18; ++step) EXPECT_EQ(X(executor, step), step + 1 - 10);
  EXPECT_EQ(executor.end_step(), 18);
  executor.Take(Line(100, 3), 10, 30, At(0));  // over before it came
  EXPECT_EQ(X(executor, 30), 102);
}

TEST(PlanExecutorTest, ALatePlanIsRampedInFromWhereTheToolIs) {
  PlanExecutor executor({.ramp_frames = 4}, kStepS);
  executor.Take(Line(0, 20), 0, 6, At(2));
  // Four steps from 2 to frame 10.
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(X(executor, 6 + i), 2 + 2 * (i + 1), 1e-12);
  EXPECT_EQ(X(executor, 10), 11);
}

// Tells where its time went, more of it than it takes here.
class TellingPolicy : public Policy {
 public:
  void Reset(uint64_t) override {}
  Plan Act(const Clip& seen, const PlanRequest&) override {
    return PlanFromPoses({seen.poses.at(0), seen.poses.at(0)}, kStepS);
  }
  std::vector<PlanStage> LastStages() const override { return {{"encode", 20}, {"denoise", 300}}; }
};

// A worker that waits for another one's plan must not report it as its own.
TEST(MakePlanTest, APlanTakesWhatItsStagesTake) {
  Clip seen;
  seen.poses = {At(3)};
  TellingPolicy policy;
  const MadePlan made = MakePlan(policy, seen, {});
  EXPECT_EQ(made.plan_s, 320);
  EXPECT_EQ(made.stages.size(), 2u);
  ReplayPolicy silent({At(1), At(2)}, kStepS);
  const MadePlan timed = MakePlan(silent, seen, {});
  EXPECT_GE(timed.plan_s, 0);
  EXPECT_LT(timed.plan_s, 320);
}

// Plans when it is told to, not before.
class HeldPolicy : public Policy {
 public:
  void Reset(uint64_t) override {}
  Plan Act(const Clip& seen, const PlanRequest& request) override {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return is_released_; });
    if (request.replan == 1) throw IoError({"the server", "gone", "there", ""});
    return PlanFromPoses({seen.poses.at(0), seen.poses.at(0)}, kStepS);
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    is_released_ = true;
    released_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  bool is_released_ = false;
};

TEST(BackgroundPlannerTest, PlansBesideItsCaller) {
  HeldPolicy policy;
  BackgroundPlanner planner(policy);
  EXPECT_FALSE(planner.is_asked());
  Clip seen;
  seen.poses = {At(3)};
  planner.Ask(seen, {});
  seen.poses.clear();
  EXPECT_TRUE(planner.is_asked());
  EXPECT_FALSE(planner.IsReady());
  policy.Release();
  const MadePlan made = planner.Take();
  EXPECT_EQ(made.plan.frames[0].pose.world_from_tool.translation.x(), 3);
  EXPECT_GE(made.plan_s, 0);
  EXPECT_FALSE(planner.is_asked());
  seen.poses = {At(3)};
  planner.Ask(seen, {.replan = 1});
  EXPECT_THROW(planner.Take(), IoError);
}

}  // namespace
}  // namespace aim
