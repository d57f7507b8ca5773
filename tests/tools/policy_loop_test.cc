// The guard of examples/policy_loop.
#include <gtest/gtest.h>

#include <cmath>

#include "examples/policy_loop/guard.h"
#include "support/throws.h"

namespace aim::testing {
namespace {

ToolPose At(double x, double y, double z, double yaw_rad = 0) {
  ToolPose pose;
  pose.world_from_tool = {Eigen::Quaterniond(Eigen::AngleAxisd(yaw_rad, Eigen::Vector3d::UnitZ())),
                          {x, y, z}};
  return pose;
}

TEST(PolicyLoopTest, TargetsStayInTheBoxAndBelowTheSpeeds) {
  const GuardOptions options;
  const Guard guard(options);
  ToolPose last = At(0.5, 0, 0.3);
  const ToolPose wanted = At(2, 0.1, -1, 2);
  for (int i = 0; i < 200; ++i) {
    const ToolPose next = guard.Allowed(last, wanted, 0.1);
    EXPECT_LE(Difference(last, next).position_m, 0.025 + 1e-12);
    EXPECT_LE(Difference(last, next).rotation_rad, 0.1 + 1e-9);
    EXPECT_TRUE(guard.IsInside(next));
    last = next;
  }
  EXPECT_LE(Difference(last, At(0.7, 0.1, 0, 2)).position_m, 1e-9);
  EXPECT_FALSE(guard.IsInside(wanted));
}

TEST(PolicyLoopTest, OldPicturesAndASilentHeartbeatStop) {
  const Guard guard{GuardOptions{}};
  EXPECT_EQ(guard.WhyStop(0.5, 1.0), "");
  EXPECT_NE(guard.WhyStop(0.51, 0).find("observation is 0.51 s old"), std::string::npos);
  EXPECT_NE(guard.WhyStop(0, 1.1).find("heartbeat is 1.1 s old"), std::string::npos);
  EXPECT_EQ(guard.WhyStop(0, INFINITY), "the heartbeat is not there");
  EXPECT_NE(guard.WhyStop(NAN, 0), "");
  // A file that was touched for tomorrow is no sign that somebody is there today.
  EXPECT_EQ(guard.WhyStop(-0.05, -0.05), "");
  EXPECT_NE(guard.WhyStop(0, -3600).find("heartbeat is 3600 s ahead"), std::string::npos);
  EXPECT_NE(guard.WhyStop(-1, 0).find("observation is 1 s ahead"), std::string::npos);
}

TEST(PolicyLoopTest, ABoxTurnedInsideOutIsRefused) {
  GuardOptions options;
  options.workspace_low[1] = 0.5;
  ExpectThrowsWith<ConfigError>([&] { const Guard guard(options); }, {"workspace_low", "no box"});
  options.workspace_low = {0, 0};
  ExpectThrowsWith<ConfigError>([&] { const Guard guard(options); }, {"three numbers"});
}

}  // namespace
}  // namespace aim::testing
