#include "eval/pictures.h"

#include <gtest/gtest.h>

#include <vector>

#include "eval/point_env.h"

namespace aim {
namespace {

constexpr double kStepS = 0.125;  // halves and doubles are exact
constexpr int kSizePx = 48;
constexpr int kNumSteps = 9;

// Stays at its first place for three frames, then goes to its second.
Plan Leap(double period_s) {
  const ToolPose here = testing::PointPose({0, 0, 0.3});
  const ToolPose there = testing::PointPose({0.4, 0.3, 0.3});
  return PlanFromPoses({here, here, here, there, there}, period_s);
}

// The pictures of one view while nothing moves but the plan's time.
std::vector<Image> Drawn(const Plan& plan) {
  testing::PointEnv env;
  TrialResult result;
  result.targets.assign(kNumSteps, testing::PointPose({0, 0, 0.3}));
  result.plans.push_back({.first_env_step = 0, .begin_env_step = 0, .plan = plan});
  return RenderTrial(env, {.task = "stay", .variation = 0, .seed = 1}, result, kStepS, kSizePx)
      .views[0];
}

// The first step whose picture is that of the last one.
size_t LastChange(const std::vector<Image>& pictures) {
  size_t step = pictures.size() - 1;
  while (step > 0 && pictures[step - 1].rgb == pictures.back().rgb) --step;
  return step;
}

// Frame 4 of a plan is due 4 periods after its start, whatever a step of the simulator takes, and
// is drawn as the next pose one step before that.
TEST(TrialPicturesTest, ThePoseThatIsNextIsThatOfThePlansClock) {
  EXPECT_EQ(LastChange(Drawn(Leap(kStepS))), 3u);
  EXPECT_EQ(LastChange(Drawn(Leap(2 * kStepS))), 6u);  // 3.5 periods are nearest to 4
  EXPECT_EQ(LastChange(Drawn(Leap(kStepS / 2))), 1u);
}

}  // namespace
}  // namespace aim
