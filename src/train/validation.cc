#include "aim/train/validation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace aim {
namespace {

constexpr size_t kClipsPerBatch = 8;

double Mean(const std::vector<double>& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// PSNR of frames 1 .. T-1 of all views of one clip.
void AddVideoQuality(const Clip& clip, const GeneratedClip& generated, std::vector<double>& psnr,
                     std::vector<double>& static_psnr) {
  for (size_t view = 0; view < generated.videos.size(); ++view) {
    const int64_t frames = generated.videos[view].size(1);
    const at::Tensor truth = VideoTensor(clip.views[view], clip.height, clip.width, static_cast<int>(frames));
    const at::Tensor later = truth.narrow(1, 1, frames - 1);
    psnr.push_back(Psnr(generated.videos[view].narrow(1, 1, frames - 1), later));
    static_psnr.push_back(Psnr(truth.narrow(1, 0, 1).expand_as(later), later));
  }
}

}  // namespace

nlohmann::json ValidateMode(const GeneratorModel& model, const Mode& mode, const std::vector<Clip>& clips,
                            const GenerateOptions& options, const Rng& rng) {
  PoseErrors errors;
  std::vector<double> psnr, static_psnr;
  for (size_t begin = 0; begin < clips.size(); begin += kClipsPerBatch) {
    const size_t end = std::min(clips.size(), begin + kClipsPerBatch);
    const std::vector<Clip> part(clips.begin() + static_cast<std::ptrdiff_t>(begin), clips.begin() + static_cast<std::ptrdiff_t>(end));
    const auto generated = Generate(model, mode, part, options, rng.Derive(begin, "validation"));
    for (size_t i = 0; i < part.size(); ++i) {
      if (!generated[i].poses.empty()) errors.Add(generated[i].poses, part[i].poses);
      AddVideoQuality(part[i], generated[i], psnr, static_psnr);
    }
  }
  nlohmann::json report = {{"clips", clips.size()}};
  if (errors.num_frames > 0) {
    report["frames"] = errors.num_frames;
    report["position_mm"] = {{"median", Median(errors.position_mm)}, {"mean", Mean(errors.position_mm)}, {"p90", Quantile(errors.position_mm, 0.9)}};
    report["rotation_deg"] = {{"median", Median(errors.rotation_deg)}, {"mean", Mean(errors.rotation_deg)}, {"p90", Quantile(errors.rotation_deg, 0.9)}};
    const int decoded = errors.num_frames - errors.not_decodable;
    report["gripper_accuracy"] = decoded > 0 ? static_cast<double>(errors.gripper_right) / decoded : 0.0;
    report["not_decodable"] = static_cast<double>(errors.not_decodable) / errors.num_frames;
  }
  if (!psnr.empty()) {
    report["psnr_db"] = Mean(psnr);
    report["static_copy_psnr_db"] = Mean(static_psnr);
  }
  return report;
}

}  // namespace aim
