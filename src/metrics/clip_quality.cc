#include "aim/metrics/clip_quality.h"

#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/base/summary.h"
#include "aim/geometry/tool_pose.h"
#include "metrics/bootstrap.h"

namespace aim {
namespace {

void Append(std::vector<double>& all, const std::vector<double>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

void Append(ClipQuality& all, const ClipQuality& more) {
  Append(all.poses.position_mm, more.poses.position_mm);
  Append(all.poses.rotation_deg, more.poses.rotation_deg);
  Append(all.poses.confidence, more.poses.confidence);
  all.poses.gripper_right += more.poses.gripper_right;
  all.poses.num_frames += more.poses.num_frames;
  all.poses.not_decodable += more.poses.not_decodable;
  Append(all.psnr_db, more.psnr_db);
  Append(all.static_psnr_db, more.static_psnr_db);
}

double GripperAccuracy(const PoseErrors& poses) {
  const int decoded = poses.num_frames - poses.not_decodable;
  return static_cast<double>(poses.gripper_right) / decoded;
}

// The numbers that get an interval.
std::map<std::string, double> Headline(const ClipQuality& all) {
  std::map<std::string, double> numbers;
  if (!all.poses.position_mm.empty()) {
    numbers["position_mm.median"] = Median(all.poses.position_mm);
    numbers["rotation_deg.median"] = Median(all.poses.rotation_deg);
    numbers["gripper_accuracy"] = GripperAccuracy(all.poses);
  }
  if (!all.psnr_db.empty()) {
    numbers["psnr_db"] = Mean(all.psnr_db);
    numbers["static_copy_psnr_db"] = Mean(all.static_psnr_db);
  }
  return numbers;
}

}  // namespace

void PoseErrors::Add(std::span<const DecodedPose> decoded, std::span<const ToolPose> truth) {
  AIM_CHECK(decoded.size() == truth.size());
  for (size_t frame = 1; frame < truth.size(); ++frame) {
    ++num_frames;
    if (!decoded[frame].decodable) {
      ++not_decodable;
      continue;
    }
    const PoseDifference difference = Difference(decoded[frame].pose, truth[frame]);
    position_mm.push_back(difference.position_mm());
    rotation_deg.push_back(difference.rotation_deg());
    confidence.push_back(decoded[frame].confidence);
    gripper_right += difference.is_same_gripper;
  }
}

Spread SpreadOf(const std::vector<double>& values) {
  return {Median(values), Mean(values), Percentile(values, 90)};
}

QualitySummary SummarizeQuality(std::span<const ClipQuality> clips) {
  ClipQuality all;
  for (const ClipQuality& clip : clips) Append(all, clip);
  QualitySummary summary;
  summary.num_clips = clips.size();
  const PoseErrors& poses = all.poses;
  if (poses.num_frames > 0) {
    summary.poses = {
        .num_frames = poses.num_frames,
        .position_mm = SpreadOf(poses.position_mm),
        .rotation_deg = SpreadOf(poses.rotation_deg),
        .gripper_accuracy = GripperAccuracy(poses),
        .not_decodable = static_cast<double>(poses.not_decodable) / poses.num_frames,
        .confidence_rank_correlation = SpearmanCorrelation(poses.confidence, poses.position_mm)};
  }
  if (!all.psnr_db.empty()) summary.pictures = {Mean(all.psnr_db), Mean(all.static_psnr_db)};
  return summary;
}

QualitySummary SummarizeWithIntervals(std::span<const ClipQuality> clips, Rng& rng, int num_draws) {
  QualitySummary summary = SummarizeQuality(clips);
  std::map<std::string, std::vector<double>> draws;
  for (int draw = 0; draw < num_draws && !clips.empty(); ++draw) {
    ClipQuality all;
    for (size_t i = 0; i < clips.size(); ++i) Append(all, clips[DrawIndex(clips.size(), rng)]);
    for (const auto& [name, value] : Headline(all)) draws[name].push_back(value);
  }
  for (const auto& [name, values] : draws) summary.intervals[name] = CentralInterval(values);
  return summary;
}

nlohmann::json ToJson(const Spread& spread) {
  return {{"median", spread.median}, {"mean", spread.mean}, {"p90", spread.p90}};
}

nlohmann::json ToJson(const QualitySummary& summary) {
  nlohmann::json json = {{"clips", summary.num_clips}};
  if (summary.poses) {
    json["frames"] = summary.poses->num_frames;
    json["position_mm"] = ToJson(summary.poses->position_mm);
    json["rotation_deg"] = ToJson(summary.poses->rotation_deg);
    json["gripper_accuracy"] = summary.poses->gripper_accuracy;
    json["not_decodable"] = summary.poses->not_decodable;
    json["confidence_rank_correlation"] = summary.poses->confidence_rank_correlation;
  }
  if (summary.pictures) {
    json["psnr_db"] = summary.pictures->psnr_db;
    json["static_copy_psnr_db"] = summary.pictures->static_copy_psnr_db;
  }
  for (const auto& [name, interval] : summary.intervals) json["interval"][name] = ToJson(interval);
  return json;
}

}  // namespace aim
