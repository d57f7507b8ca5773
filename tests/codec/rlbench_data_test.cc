// Cameras and poses of stored RLBench episodes, where the data lie beside the checkout.
#include <gtest/gtest.h>

#include <string>

#include "aim/codec/decoder.h"
#include "aim/codec/pose_csv.h"
#include "codec/rlbench_scene.h"
#include "support/matchers.h"
#include "support/rlbench_episode.h"
#include "support/temporary_folder.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

// Converts an episode; skips where that cannot be done.
class RlbenchDataTest : public ::testing::Test {
 protected:
  void Extract(const std::string& cameras, int size_px) {
    const std::string why_not = WhyNoRlbenchEpisode("episode0");
    if (!why_not.empty()) GTEST_SKIP() << why_not;
    ASSERT_TRUE(ExtractRlbenchEpisode("episode0", cameras, size_px, folder_.path()));
    tracks_ = ReadCamerasJson(folder_ / "cameras.json");
    poses_ = ToolPoses(ReadPosesCsv(folder_ / "poses.csv"));
  }

  TemporaryFolder folder_;
  std::vector<CameraTrack> tracks_;
  std::vector<ToolPose> poses_;
};

// docs/reference/formats.md section 7: frame 41 of episode 0 at 128 x 128, edge coordinates.
TEST_F(RlbenchDataTest, TipProjectsWhereThePicturesShowIt) {
  Extract("front,overhead,left_shoulder,right_shoulder", 128);
  if (IsSkipped() || HasFatalFailure()) return;
  const std::vector<Eigen::Vector2d> expected{
      {92.38, 40.10}, {38.22, 80.92}, {51.96, 50.43}, {2.76, 39.20}};
  for (size_t view = 0; view < expected.size(); ++view) {
    const auto projection = Project(tracks_[view].at(41), poses_[41].world_from_tool.translation);
    ASSERT_TRUE(projection);
    EXPECT_THAT(projection->uv, PixelNear(expected[view], kTwoDigitsPx)) << tracks_[view].name;
  }
}

// Every frame of the episode is found again or declared not decodable; anchors often leave the
// front view.
TEST_F(RlbenchDataTest, DecodesTheWholeEpisode) {
  Extract("front,overhead", 256);
  if (IsSkipped() || HasFatalFailure()) return;
  const std::vector<Camera> cameras{tracks_[0].at(0), tracks_[1].at(0)};
  size_t num_decoded = 0, num_partly_visible = 0;
  for (const ToolPose& pose : poses_) {
    const DecodedPose decoded = DecodeFrame(Spans(DrawViews(pose, cameras)), cameras);
    num_partly_visible += !SeesAllAnchors(cameras[0], pose);
    EXPECT_NEAR(decoded.pose.gripper_open, pose.gripper_open, 1e-3);
    if (!decoded.decodable) continue;
    ++num_decoded;
    EXPECT_THAT(decoded.pose.world_from_tool, RigidNear(pose.world_from_tool, 1e-4, 1e-3));
  }
  EXPECT_GE(num_decoded, poses_.size() * 95 / 100);
  EXPECT_GE(num_partly_visible, 5u);
}

}  // namespace
}  // namespace aim
