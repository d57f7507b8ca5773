#include "env/expert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "aim/base/rng.h"

namespace aim {
namespace {

Rigid3d DrawPose(Rng& rng) {
  const Eigen::Vector3d turn(rng.Uniform(-0.5, 0.5), rng.Uniform(-0.5, 0.5), rng.Uniform(-1, 1));
  return {ExpRotation(turn), {rng.Uniform(-0.3, 0.3), rng.Uniform(-0.3, 0.3), rng.Uniform(0, 0.3)}};
}

// No frame is faster than asked, each waypoint is met on a frame, the goal is held.
TEST(CommandsFromWaypoints, KeepSpeedAndMeetWaypoints) {
  Rng rng(11);
  for (int draw = 0; draw < 50; ++draw) {
    const ExpertSpeed speed;
    const Rigid3d start = DrawPose(rng);
    const std::vector<Waypoint> waypoints = {{.world_from_tool = DrawPose(rng)},
                                             {.world_from_tool = DrawPose(rng), .wait_frames = 2}};
    const std::vector<ToolPose> commands = CommandsFromWaypoints(start, waypoints, speed);
    EXPECT_EQ((commands.front().world_from_tool.translation - start.translation).norm(), 0);
    std::vector<int> met(waypoints.size(), 0);
    for (size_t i = 1; i < commands.size(); ++i) {
      const Rigid3d& from = commands[i - 1].world_from_tool;
      const Rigid3d& to = commands[i].world_from_tool;
      EXPECT_LE((to.translation - from.translation).norm(), speed.step_m + 1e-6) << draw;
      EXPECT_LE(AngleBetween(from.rotation, to.rotation), speed.turn_rad + 1e-6) << draw;
      for (size_t w = 0; w < waypoints.size(); ++w) {
        const Rigid3d& goal = waypoints[w].world_from_tool;
        met[w] += (to.translation - goal.translation).norm() < 1e-9 &&
                  AngleBetween(to.rotation, goal.rotation) < 1e-6;
      }
    }
    EXPECT_THAT(met, ::testing::ElementsAre(1, 1 + 2 + speed.hold_frames)) << draw;
  }
}

TEST(CommandsFromWaypoints, SpeedIsConstantAlongASegment) {
  const Rigid3d start = ToolDown({0.5, 0, 0.2}, 0.3);
  const Rigid3d goal = ToolDown({0.6, -0.1, 0.05}, -0.3);
  const std::vector<ToolPose> commands =
      CommandsFromWaypoints(start, {{.world_from_tool = goal, .gripper_open = false}});
  const double length_m = (goal.translation - start.translation).norm();
  const int num_frames = static_cast<int>(std::ceil(length_m / 0.04));
  ASSERT_EQ(commands.size(), static_cast<size_t>(1 + num_frames + 3));
  for (int frame = 1; frame <= num_frames; ++frame) {
    const auto index = static_cast<size_t>(frame);
    const double step_m = (commands[index].world_from_tool.translation -
                           commands[index - 1].world_from_tool.translation)
                              .norm();
    EXPECT_NEAR(step_m, length_m / num_frames, 1e-9);
    EXPECT_EQ(commands[index].gripper_open, 0);
  }
  EXPECT_EQ(commands.front().gripper_open, 1);
}

TEST(QuarterTurnNearest, IsTheSmallestEquivalentAngle) {
  Rng rng(3);
  for (int draw = 0; draw < 200; ++draw) {
    const double yaw_rad = rng.Uniform(-20, 20);
    const double nearest_rad = QuarterTurnNearest(yaw_rad);
    EXPECT_LE(std::abs(nearest_rad), std::numbers::pi / 4 + 1e-12);
    const double turns = (yaw_rad - nearest_rad) / (std::numbers::pi / 2);
    EXPECT_NEAR(turns, std::round(turns), 1e-9);
  }
}

TEST(ToolDownNear, PointsDownAndTurnsNoMoreThanTheTilt) {
  Rng rng(5);
  for (int draw = 0; draw < 100; ++draw) {
    const Eigen::Quaterniond tilted =
        ExpRotation({rng.Uniform(-0.3, 0.3), rng.Uniform(-0.3, 0.3), 0}) *
        ToolDown({0, 0, 0}, rng.Uniform(-1, 1)).rotation;
    const Rigid3d down = ToolDownNear({1, 2, 3}, tilted);
    EXPECT_LT((down.rotation * Eigen::Vector3d::UnitZ() + Eigen::Vector3d::UnitZ()).norm(), 1e-9);
    const double tilt_rad = std::acos(std::min(1.0, -(tilted * Eigen::Vector3d::UnitZ()).z()));
    EXPECT_NEAR(AngleBetween(down.rotation, tilted), tilt_rad, 1e-6);
  }
}

}  // namespace
}  // namespace aim
