#include "aim/metrics/pose_scores.h"

#include <gtest/gtest.h>

#include "aim/codec/action_image.h"
#include "support/scene.h"

namespace aim {
namespace {

using testing::CameraAtOrigin;

// At `x_m`, a metre before the camera at the origin, looking the way it looks.
ToolPose PoseAt(double x_m, double gripper_open = 1) {
  return {{Eigen::Quaterniond::Identity(), {x_m, 0, 1}}, gripper_open};
}

DecodedPose Decoded(const ToolPose& pose) {
  return {.pose = pose, .decodable = true, .confidence = 1, .visible = {}};
}

CameraTrack OneCamera() { return {"front", {CameraAtOrigin(200)}}; }

// One pixel is 5 mm a metre away. Frame 0 does not count, however wrong.
TEST(ScorePoses, MeasuresInTheWorldAndInThePicture) {
  const std::vector<ToolPose> truth = {PoseAt(0), PoseAt(0), PoseAt(0.05)};
  const std::vector<DecodedPose> judged = {Decoded(PoseAt(0.4, 0)), Decoded(PoseAt(0.015)),
                                           Decoded(PoseAt(0.05))};
  const Scores scores = ScorePoses(judged, truth, std::vector{OneCamera()});
  EXPECT_NEAR(*scores.at("position_mm").Value(), 7.5, 1e-9);
  EXPECT_EQ(scores.at("position_mm").num_values, 2);
  EXPECT_NEAR(*scores.at("rotation_deg").Value(), 0, 1e-9);
  EXPECT_EQ(scores.at("gripper_accuracy").Value(), 1);
  EXPECT_EQ(scores.at("not_decodable").Value(), 0);
  EXPECT_NEAR(*scores.at("error_2d_px/front/tip").Value(), 1.5, 1e-9);
  EXPECT_NEAR(*scores.at("error_2d_px/front/tool_x").Value(), 1.5, 1e-9);
  // The third mark lies 0.1 m nearer to the camera: 3 px / 0.9.
  EXPECT_NEAR(*scores.at("error_2d_px/front/tool_z").Value(), 1.5 / 0.9, 1e-9);
  EXPECT_NEAR(*scores.at("trajectory_px").Value(), (1.5 + 1.5 + 1.5 / 0.9) / 3, 1e-9);
  EXPECT_EQ(scores.at("trajectory_px").num_values, 6);
}

// Two frames of three marks; those of the first are 3, 3 and 3.33 px off. Beyond the distance a
// mark counts twice: 3 found of 3 + 2 * 3 at 1 and 2 px, all at 4 px and more.
TEST(ScorePoses, JaccardCountsAMissOnBothSides) {
  const std::vector<ToolPose> truth(3, PoseAt(0));
  const std::vector<DecodedPose> judged = {Decoded(PoseAt(0)), Decoded(PoseAt(0.015)),
                                           Decoded(PoseAt(0))};
  const Scores scores = ScorePoses(judged, truth, std::vector{OneCamera()});
  EXPECT_NEAR(*scores.at("jaccard_1").Value(), 3.0 / 9, 1e-12);
  EXPECT_NEAR(*scores.at("jaccard_2").Value(), 3.0 / 9, 1e-12);
  EXPECT_EQ(scores.at("jaccard_4").Value(), 1);
  EXPECT_NEAR(*scores.at("jaccard").Value(), (2 * 3.0 / 9 + 3) / 5, 1e-12);
}

// A mark outside the picture is not there: shown where none is, it is false; none where none is
// does not count.
TEST(ScorePoses, JaccardKnowsWhatLiesOutside) {
  const std::vector<ToolPose> truth = {PoseAt(0), PoseAt(3), PoseAt(3), PoseAt(0)};
  const std::vector<DecodedPose> judged = {Decoded(PoseAt(0)), Decoded(PoseAt(3)),
                                           Decoded(PoseAt(0)), Decoded(PoseAt(0))};
  const Scores scores = ScorePoses(judged, truth, std::vector{OneCamera()});
  EXPECT_EQ(scores.at("jaccard_4").Value(), 0.5);
  EXPECT_EQ(scores.at("jaccard_4").num_values, 6);
  EXPECT_EQ(scores.at("trajectory_px").num_values, 3);
}

TEST(ScorePoses, WhatWasNotDecodedIsAMissOfJaccardAlone) {
  const std::vector<ToolPose> truth(3, PoseAt(0));
  std::vector<DecodedPose> judged(3, Decoded(PoseAt(0)));
  judged[2].decodable = false;
  const Scores scores = ScorePoses(judged, truth, std::vector{OneCamera()});
  EXPECT_EQ(scores.at("position_mm").num_values, 1);
  EXPECT_EQ(scores.at("not_decodable").Value(), 0.5);
  EXPECT_EQ(scores.at("trajectory_px").num_values, 3);
  EXPECT_EQ(scores.at("jaccard_16").Value(), 0.5);
  for (DecodedPose& pose : judged) pose.decodable = false;
  const Scores nothing = ScorePoses(judged, truth, std::vector{OneCamera()});
  EXPECT_FALSE(nothing.at("position_mm").Value());
  EXPECT_FALSE(nothing.at("gripper_accuracy").Value());
  EXPECT_EQ(nothing.at("jaccard").Value(), 0);
  EXPECT_FALSE(nothing.contains("trajectory_px"));
}

TEST(ScorePoses, BehindTheCameraThereIsNoPixel) {
  const std::vector<ToolPose> truth(2, PoseAt(0));
  ToolPose behind = PoseAt(0);
  behind.world_from_tool.translation.z() = -1;
  const std::vector<DecodedPose> judged = {Decoded(PoseAt(0)), Decoded(behind)};
  const Scores scores = ScorePoses(judged, truth, std::vector{OneCamera()});
  EXPECT_EQ(scores.at("behind_camera").Value(), 1);
  EXPECT_FALSE(scores.contains("trajectory_px"));
  EXPECT_EQ(scores.at("jaccard_16").Value(), 0);
}

// Three closed in truth, of which two are found, and one that is none: 2 * 2 / (3 + 3).
TEST(ScorePoses, F1IsOfClosedGrippers) {
  std::vector<ToolPose> truth;
  std::vector<DecodedPose> judged;
  const std::vector<std::pair<double, double>> frames = {{1, 1}, {0, 0}, {0, 0.4},
                                                         {0, 1}, {1, 0}, {1, 0.9}};
  for (const auto& [true_open, judged_open] : frames) {
    truth.push_back(PoseAt(0, true_open));
    judged.push_back(Decoded(PoseAt(0, judged_open)));
  }
  const Scores scores = ScorePoses(judged, truth, {});
  EXPECT_NEAR(*scores.at("gripper_f1").Value(), 4.0 / 6, 1e-12);
  EXPECT_NEAR(*scores.at("gripper_accuracy").Value(), 3.0 / 5, 1e-12);
  EXPECT_FALSE(scores.contains("jaccard"));
  const std::vector<ToolPose> open(2, PoseAt(0));
  const std::vector<DecodedPose> same(2, Decoded(PoseAt(0)));
  EXPECT_FALSE(ScorePoses(same, open, {}).at("gripper_f1").Value());
}

TEST(ScorePoses, AViewWithoutCameraIsLeftOut) {
  const std::vector<ToolPose> truth(2, PoseAt(0));
  const std::vector<DecodedPose> judged(2, Decoded(PoseAt(0)));
  const std::vector<CameraTrack> cameras = {{"blind", {}}, OneCamera()};
  const Scores scores = ScorePoses(judged, truth, cameras);
  EXPECT_TRUE(scores.contains("error_2d_px/front/tip"));
  EXPECT_FALSE(scores.contains("error_2d_px/blind/tip"));
}

}  // namespace
}  // namespace aim
