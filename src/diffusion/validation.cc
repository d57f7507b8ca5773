#include "aim/diffusion/validation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <string>

#include "aim/base/summary.h"

namespace aim {
namespace {

constexpr size_t kClipsPerBatch = 8;

// PSNR of frames 1 .. T-1 of all views of one clip.
void AddVideoQuality(const Clip& clip, const GeneratedClip& generated, ClipQuality& quality) {
  for (size_t view = 0; view < generated.videos.size(); ++view) {
    const int64_t frames = generated.videos[view].size(1);
    const at::Tensor truth =
        VideoTensor(clip.views[view], clip.height, clip.width, static_cast<int>(frames));
    const at::Tensor later = truth.narrow(1, 1, frames - 1);
    quality.psnr_db.push_back(Psnr(generated.videos[view].narrow(1, 1, frames - 1), later));
    quality.static_psnr_db.push_back(Psnr(truth.narrow(1, 0, 1).expand_as(later), later));
  }
}

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

nlohmann::json Spread(const std::vector<double>& values) {
  return {{"median", Median(values)}, {"mean", Mean(values)}, {"p90", Percentile(values, 90)}};
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

std::vector<ClipQuality> MeasureClips(const GeneratorModel& model, const Mode& mode,
                                      const std::vector<Clip>& clips,
                                      const GenerateOptions& options, const Rng& rng) {
  std::vector<ClipQuality> qualities(clips.size());
  for (size_t begin = 0; begin < clips.size(); begin += kClipsPerBatch) {
    const size_t end = std::min(clips.size(), begin + kClipsPerBatch);
    const std::vector<Clip> part(clips.begin() + static_cast<std::ptrdiff_t>(begin),
                                 clips.begin() + static_cast<std::ptrdiff_t>(end));
    const std::vector<GeneratedClip> generated =
        Generate(model, mode, part, options, rng.Derive(begin, "validation"));
    for (size_t i = 0; i < part.size(); ++i) {
      ClipQuality& quality = qualities[begin + i];
      if (!generated[i].poses.empty()) quality.poses.Add(generated[i].poses, part[i].poses);
      AddVideoQuality(part[i], generated[i], quality);
    }
  }
  return qualities;
}

nlohmann::json SummarizeQuality(std::span<const ClipQuality> clips) {
  ClipQuality all;
  for (const ClipQuality& clip : clips) Append(all, clip);
  nlohmann::json report = {{"clips", clips.size()}};
  const PoseErrors& poses = all.poses;
  if (poses.num_frames > 0) {
    report["frames"] = poses.num_frames;
    report["position_mm"] = Spread(poses.position_mm);
    report["rotation_deg"] = Spread(poses.rotation_deg);
    report["gripper_accuracy"] = GripperAccuracy(poses);
    report["not_decodable"] = static_cast<double>(poses.not_decodable) / poses.num_frames;
    report["confidence_rank_correlation"] =
        SpearmanCorrelation(poses.confidence, poses.position_mm);
  }
  if (!all.psnr_db.empty()) {
    report["psnr_db"] = Mean(all.psnr_db);
    report["static_copy_psnr_db"] = Mean(all.static_psnr_db);
  }
  return report;
}

nlohmann::json SummarizeWithIntervals(std::span<const ClipQuality> clips, Rng& rng, int num_draws) {
  nlohmann::json report = SummarizeQuality(clips);
  std::map<std::string, std::vector<double>> draws;
  for (int draw = 0; draw < num_draws && !clips.empty(); ++draw) {
    ClipQuality all;
    for (size_t i = 0; i < clips.size(); ++i) {
      const int64_t index = rng.UniformInt(static_cast<int64_t>(clips.size()));
      Append(all, clips[static_cast<size_t>(index)]);
    }
    for (const auto& [name, value] : Headline(all)) draws[name].push_back(value);
  }
  for (const auto& [name, values] : draws) {
    report["interval"][name] = {Percentile(values, 2.5), Percentile(values, 97.5)};
  }
  return report;
}

nlohmann::json ValidateMode(const GeneratorModel& model, const Mode& mode,
                            const std::vector<Clip>& clips, const GenerateOptions& options,
                            const Rng& rng) {
  return SummarizeQuality(MeasureClips(model, mode, clips, options, rng));
}

}  // namespace aim
