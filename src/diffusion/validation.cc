#include "aim/diffusion/validation.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace aim {
namespace {

constexpr size_t kClipsPerBatch = 8;

// PSNR of frames 1 .. T-1 of the generated views of one clip: all, or all but a given first one.
void AddVideoQuality(const Clip& clip, const GeneratedClip& generated, ClipQuality& quality) {
  const size_t num_given = clip.views.size() - generated.videos.size();
  for (size_t i = 0; i < generated.videos.size(); ++i) {
    const int64_t frames = generated.videos[i].size(1);
    const at::Tensor truth =
        VideoTensor(clip.views[num_given + i], clip.height, clip.width, static_cast<int>(frames));
    const at::Tensor later = truth.narrow(1, 1, frames - 1);
    quality.psnr_db.push_back(Psnr(generated.videos[i].narrow(1, 1, frames - 1), later));
    quality.static_psnr_db.push_back(Psnr(truth.narrow(1, 0, 1).expand_as(later), later));
  }
}

}  // namespace

std::vector<ClipQuality> MeasureClips(const GeneratorModel& model, const Mode& mode,
                                      const std::vector<Clip>& clips,
                                      const GenerateOptions& options, const Rng& rng,
                                      const GeneratedSink& sink) {
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
      if (sink) sink(begin + i, generated[i]);
    }
  }
  return qualities;
}

QualitySummary ValidateMode(const GeneratorModel& model, const Mode& mode,
                            const std::vector<Clip>& clips, const GenerateOptions& options,
                            const Rng& rng) {
  return SummarizeQuality(MeasureClips(model, mode, clips, options, rng));
}

}  // namespace aim
