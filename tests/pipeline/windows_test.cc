#include "pipeline/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.h"
#include "support/scene.h"

namespace aim {
namespace {

using ::testing::ElementsAre;
using testing::RigidNear;

DecodedPose Seen(const ToolPose& pose, double confidence) {
  DecodedPose frame;
  frame.pose = pose;
  frame.decodable = true;
  frame.confidence = confidence;
  return frame;
}

TEST(WindowStarts, CoverTheVideoAndEndWithIt) {
  EXPECT_THAT(WindowStarts(5, 9, 4), ElementsAre(0));
  EXPECT_THAT(WindowStarts(9, 9, 4), ElementsAre(0));
  EXPECT_THAT(WindowStarts(10, 9, 4), ElementsAre(0, 1));
  EXPECT_THAT(WindowStarts(19, 9, 4), ElementsAre(0, 5, 10));
  EXPECT_THAT(WindowStarts(27, 9, 0), ElementsAre(0, 9, 18));
  for (int num_frames = 1; num_frames < 60; ++num_frames) {
    const std::vector<int> starts = WindowStarts(num_frames, 9, 3);
    for (size_t i = 1; i < starts.size(); ++i) {
      EXPECT_GT(starts[i], starts[i - 1]);
      EXPECT_GE(starts[i - 1] + 9 - starts[i], 3);  // at least the overlap is shared
    }
    EXPECT_EQ(starts.back() + 9, std::max(9, num_frames));
  }
}

// Windows that agree give the poses back, whatever their confidence.
TEST(BlendWindows, AgreementIsKept) {
  Rng rng(3);
  std::vector<DecodedPose> truth;
  for (int i = 0; i < 14; ++i) {
    truth.push_back(Seen(testing::RandomToolPose(rng), rng.Uniform(0.1, 1)));
  }
  const auto part = [&](int start, double sign) {
    DecodedWindow window{start, {truth.begin() + start, truth.begin() + start + 9}};
    for (DecodedPose& frame : window.frames) {  // q and -q are one rotation
      frame.pose.world_from_tool.rotation.coeffs() *= sign;
    }
    return window;
  };
  const std::vector<DecodedPose> blend = BlendWindows({part(0, 1), part(5, -1)}, 14);
  ASSERT_EQ(blend.size(), 14u);
  for (size_t i = 0; i < 14; ++i) {
    EXPECT_TRUE(blend[i].decodable);
    EXPECT_THAT(blend[i].pose.world_from_tool,
                RigidNear(truth[i].pose.world_from_tool, 1e-12, 1e-7));
    EXPECT_NEAR(blend[i].pose.gripper_open, truth[i].pose.gripper_open, 1e-12);
    EXPECT_NEAR(blend[i].confidence, truth[i].confidence, 1e-9);
  }
}

// Two windows of 3 that share frames 1 and 2: frame 1 has ramps 2/3 and 1/3, frame 2 1/3 and 2/3.
TEST(BlendWindows, WeighsByConfidenceAndPlace) {
  const auto at = [](double x_m) {
    ToolPose pose;
    pose.world_from_tool.translation = {x_m, 0, 0};
    return pose;
  };
  DecodedWindow first{0, std::vector<DecodedPose>(3, Seen(at(0), 0.5))};
  DecodedWindow second{1, std::vector<DecodedPose>(3, Seen(at(0.03), 0.5))};
  std::vector<DecodedPose> blend = BlendWindows({first, second}, 4);
  EXPECT_NEAR(blend[1].pose.world_from_tool.translation.x(), 0.01, 1e-12);
  EXPECT_NEAR(blend[2].pose.world_from_tool.translation.x(), 0.02, 1e-12);
  EXPECT_EQ(blend[0].confidence, 0.5);
  EXPECT_LT(blend[1].confidence, 0.25);  // spread 14 mm
  second.frames[0].confidence = 0.1;
  blend = BlendWindows({first, second}, 4);
  // Weights 2/3 * 0.5 and 1/3 * 0.1.
  EXPECT_NEAR(blend[1].pose.world_from_tool.translation.x(), 0.03 / 11, 1e-12);
}

// q and -q are one rotation: the mean lies between the two, whatever their signs.
TEST(BlendWindows, RotationsMeetBetween) {
  const auto turned = [](double angle_rad, double sign) {
    ToolPose pose;
    pose.world_from_tool.rotation =
        Eigen::AngleAxisd(angle_rad, Eigen::Vector3d(0.6, 0, 0.8).normalized());
    pose.world_from_tool.rotation.coeffs() *= sign;
    return pose;
  };
  const std::vector<DecodedPose> blend =
      BlendWindows({{0, std::vector<DecodedPose>(3, Seen(turned(0.0, 1), 0.5))},
                    {1, std::vector<DecodedPose>(3, Seen(turned(0.3, -1), 0.5))}},
                   4);
  EXPECT_THAT(blend[1].pose.world_from_tool.rotation,
              testing::RotationNear(turned(0.1, 1).world_from_tool.rotation, 1e-3));
  EXPECT_THAT(blend[2].pose.world_from_tool.rotation,
              testing::RotationNear(turned(0.2, 1).world_from_tool.rotation, 1e-3));
}

TEST(BlendWindows, UndecodedFramesHaveNoVote) {
  Rng rng(5);
  const ToolPose pose = testing::RandomToolPose(rng);
  DecodedWindow first{0, std::vector<DecodedPose>(4)};
  DecodedWindow second{1, std::vector<DecodedPose>(4, Seen(pose, 0.3))};
  const std::vector<DecodedPose> blend = BlendWindows({first, second}, 5);
  EXPECT_FALSE(blend[0].decodable);
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_TRUE(blend[i].decodable);
    EXPECT_THAT(blend[i].pose.world_from_tool, RigidNear(pose.world_from_tool, 1e-12, 1e-7));
    EXPECT_NEAR(blend[i].confidence, 0.3, 1e-9);
  }
}

TEST(SpreadOut, UndoesEveryNthFrameOnStraightPaths) {
  // Frame 3 comes late: what lies between is found by time, not by number.
  const std::vector<double> times_s = {0, .1, .2, .35, .4, .5, .6, .7, .8, .9, 1.0, 1.1};
  std::vector<DecodedPose> frames;
  for (const size_t frame : {0, 4, 8}) {
    ToolPose pose;
    pose.world_from_tool.translation = {0.1 * times_s[frame], 0, 1};
    frames.push_back(Seen(pose, 0.5));
  }
  frames[1].confidence = 0.2;
  const std::vector<DecodedPose> all = SpreadOut(frames, 4, times_s);
  ASSERT_EQ(all.size(), 12u);
  for (size_t i = 0; i <= 8; ++i) {
    EXPECT_NEAR(all[i].pose.world_from_tool.translation.x(), 0.1 * times_s[i], 1e-12);
    EXPECT_EQ(all[i].from_prior, i % 4 != 0);
  }
  EXPECT_EQ(all[2].confidence, 0.2);
  EXPECT_NEAR(all[11].pose.world_from_tool.translation.x(), 0.08, 1e-12);  // held past the last
}

}  // namespace
}  // namespace aim
