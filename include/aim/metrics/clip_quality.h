// How good generated clips are against their truth: millimetres, degrees, decibels.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aim/base/rng.h"
#include "aim/codec/plan.h"
#include "aim/metrics/statistics.h"

namespace aim {

// How far decoded poses are from the truth; frame 0 (given) does not count.
struct PoseErrors {
  std::vector<double> position_mm;
  std::vector<double> rotation_deg;
  std::vector<double> confidence;
  int gripper_right = 0;
  int num_frames = 0;
  int not_decodable = 0;

  void Add(std::span<const DecodedPose> decoded, std::span<const ToolPose> truth);
};

// What one clip gave in one mode, against its truth.
struct ClipQuality {
  PoseErrors poses;                    // empty if the mode makes no actions
  std::vector<double> psnr_db;         // a generated view: its frames after the first
  std::vector<double> static_psnr_db;  // the same for a copy of the first frame
};

// NaN where there is nothing to summarize; null in JSON.
struct Spread {
  double median = 0;
  double mean = 0;
  double p90 = 0;
};
Spread SpreadOf(const std::vector<double>& values);

// Over the frames of all clips together.
struct QualitySummary {
  struct Poses {
    int num_frames = 0;
    Spread position_mm;  // of decoded frames, as what follows
    Spread rotation_deg;
    double gripper_accuracy = 0;
    double not_decodable = 0;                // share of all frames
    double confidence_rank_correlation = 0;  // with the position error: good is near -1
  };
  struct Pictures {
    double psnr_db = 0;  // mean over views
    double static_copy_psnr_db = 0;
  };
  size_t num_clips = 0;
  std::optional<Poses> poses;        // absent if no actions were made
  std::optional<Pictures> pictures;  // absent if no video was made
  // 95 % bootstrap intervals that resample clips, whose frames are not independent, of
  // position_mm.median, rotation_deg.median, gripper_accuracy, psnr_db and static_copy_psnr_db;
  // empty if they were not asked for.
  std::map<std::string, Interval> intervals;
};

QualitySummary SummarizeQuality(std::span<const ClipQuality> clips);
QualitySummary SummarizeWithIntervals(std::span<const ClipQuality> clips, Rng& rng,
                                      int num_draws = 1000);

// {"clips", "frames", "position_mm", "rotation_deg" (each "median", "mean", "p90"),
// "gripper_accuracy", "not_decodable", "confidence_rank_correlation", "psnr_db",
// "static_copy_psnr_db", "interval": {name: [low, high]}}; what is absent has no keys.
nlohmann::json ToJson(const QualitySummary& summary);
nlohmann::json ToJson(const Spread& spread);

}  // namespace aim
