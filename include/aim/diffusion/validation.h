// What a model can do on clips it has not seen, in millimetres, degrees and decibels.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "aim/diffusion/generate.h"

namespace aim {

// What one clip gave in one mode, against its truth.
struct ClipQuality {
  PoseErrors poses;                    // empty if the mode makes no actions
  std::vector<double> psnr_db;         // a generated view: its frames after the first
  std::vector<double> static_psnr_db;  // the same for a copy of the first frame
};

// Runs `mode` on every clip (all poses and frames known) and compares with the truth.
std::vector<ClipQuality> MeasureClips(const GeneratorModel& model, const Mode& mode,
                                      const std::vector<Clip>& clips,
                                      const GenerateOptions& options, const Rng& rng);

// {"clips", "frames", "position_mm", "rotation_deg" (each "median", "mean", "p90"),
// "gripper_accuracy", "not_decodable", "confidence_rank_correlation" (of confidence and position
// error: good is near -1), "psnr_db", "static_copy_psnr_db"}, of the decoded frames of all clips
// together; null where no frame was decoded.
nlohmann::json SummarizeQuality(std::span<const ClipQuality> clips);

// The same with "interval": [low, high] of position_mm.median, rotation_deg.median,
// gripper_accuracy, psnr_db and static_copy_psnr_db, by those names: 95 % bootstrap intervals
// that resample clips, whose frames are not independent.
nlohmann::json SummarizeWithIntervals(std::span<const ClipQuality> clips, Rng& rng,
                                      int num_draws = 1000);

// MeasureClips and SummarizeQuality.
nlohmann::json ValidateMode(const GeneratorModel& model, const Mode& mode,
                            const std::vector<Clip>& clips, const GenerateOptions& options,
                            const Rng& rng);

}  // namespace aim
