#include "aim/metrics/clip_quality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

namespace aim {
namespace {

// A clip whose frames all have one error.
ClipQuality Clip10Frames(double position_mm, double psnr_db, int gripper_right = 10) {
  ClipQuality clip;
  clip.poses.position_mm.assign(10, position_mm);
  clip.poses.rotation_deg.assign(10, position_mm / 2);
  clip.poses.confidence.assign(10, 1 / position_mm);
  clip.poses.gripper_right = gripper_right;
  clip.poses.num_frames = 10;
  clip.psnr_db = {psnr_db, psnr_db + 2};
  clip.static_psnr_db = {20, 22};
  return clip;
}

TEST(SummarizeQuality, PoolsTheFramesOfAllClips) {
  std::vector<ClipQuality> clips = {Clip10Frames(2, 30), Clip10Frames(4, 34, 5),
                                    Clip10Frames(6, 38)};
  clips[2].poses.num_frames += 2;
  clips[2].poses.not_decodable = 2;
  const nlohmann::json report = ToJson(SummarizeQuality(clips));
  EXPECT_EQ(report["clips"], 3);
  EXPECT_EQ(report["frames"], 32);
  EXPECT_EQ(report["position_mm"]["median"], 4);
  EXPECT_EQ(report["position_mm"]["mean"], 4);
  EXPECT_EQ(report["position_mm"]["p90"], 6);
  EXPECT_EQ(report["rotation_deg"]["median"], 2);
  EXPECT_NEAR(report["gripper_accuracy"], 25.0 / 30, 1e-12);
  EXPECT_NEAR(report["not_decodable"], 2.0 / 32, 1e-12);
  EXPECT_NEAR(report["confidence_rank_correlation"], -1, 1e-12);
  EXPECT_EQ(report["psnr_db"], 35);
  EXPECT_EQ(report["static_copy_psnr_db"], 21);
}

TEST(SummarizeQuality, ModesWithoutActionsOrVideosHaveNoNumbersForThem) {
  ClipQuality actions = Clip10Frames(2, 30);
  actions.psnr_db.clear();
  actions.static_psnr_db.clear();
  EXPECT_FALSE(ToJson(SummarizeQuality(std::vector{actions})).contains("psnr_db"));
  ClipQuality video = Clip10Frames(2, 30);
  video.poses = {};
  EXPECT_FALSE(ToJson(SummarizeQuality(std::vector{video})).contains("position_mm"));
}

// Nothing decoded is no number, not an error of zero.
TEST(SummarizeQuality, NothingDecodedIsNull) {
  ClipQuality clip;
  clip.poses.num_frames = 10;
  clip.poses.not_decodable = 10;
  const nlohmann::json report =
      nlohmann::json::parse(ToJson(SummarizeQuality(std::vector{clip})).dump());
  EXPECT_EQ(report["not_decodable"], 1);
  EXPECT_TRUE(report["position_mm"]["median"].is_null());
  EXPECT_TRUE(report["gripper_accuracy"].is_null());
}

// Frames of one clip stand or fall together: equal clips have no spread, and intervals do not
// shrink when every clip has ten times the frames.
TEST(SummarizeWithIntervals, ResamplesClips) {
  std::vector<ClipQuality> equal(5, Clip10Frames(3, 30));
  Rng rng(1);
  const nlohmann::json narrow = ToJson(SummarizeWithIntervals(equal, rng))["interval"];
  EXPECT_EQ(narrow["position_mm.median"], nlohmann::json({3.0, 3.0}));
  std::vector<ClipQuality> spread;
  for (int i = 1; i <= 30; ++i) spread.push_back(Clip10Frames(i, 30));
  Rng first(1), second(1);
  const nlohmann::json wide = ToJson(SummarizeWithIntervals(spread, first))["interval"];
  const double low = wide["position_mm.median"][0];
  const double high = wide["position_mm.median"][1];
  // Median of 30 draws from 1..30: about 15.5 with standard deviation near 2.7 (30 / (2 sqrt 30)).
  EXPECT_GT(low, 6);
  EXPECT_LT(low, 13);
  EXPECT_GT(high, 18);
  EXPECT_LT(high, 25);
  EXPECT_EQ(ToJson(SummarizeWithIntervals(spread, second))["interval"], wide);
}

}  // namespace
}  // namespace aim
