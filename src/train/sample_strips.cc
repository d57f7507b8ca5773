#include "train/sample_strips.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "aim/base/text.h"
#include "aim/format/png.h"
#include "aim/media/blend.h"
#include "aim/media/filmstrip.h"
#include "aim/metrics/clip_quality.h"
#include "aim/report/numbers.h"

namespace aim {
namespace {

constexpr int64_t kLargestSidePx = 128;
constexpr int64_t kMostMoments = 6;

// Moments of a video [3, T, H, W] in [-1, 1], evenly spread, small: [3, M, h, w].
at::Tensor SmallMoments(const at::Tensor& video) {
  const int64_t num_frames = video.size(1), num_moments = std::min(kMostMoments, num_frames);
  std::vector<int64_t> frames;
  for (int64_t i = 0; i < num_moments; ++i)
    frames.push_back(num_moments == 1 ? 0 : (num_frames - 1) * i / (num_moments - 1));
  const at::Tensor moments = video.index_select(1, at::tensor(frames)).to(at::kCPU, at::kFloat);
  const int64_t height = moments.size(2), width = moments.size(3);
  const int64_t shrink = (std::max(height, width) + kLargestSidePx - 1) / kLargestSidePx;
  if (shrink <= 1) return moments;
  return at::adaptive_avg_pool2d(
      moments, {std::max<int64_t>(1, height / shrink), std::max<int64_t>(1, width / shrink)});
}

std::vector<Image> ImagesOf(const at::Tensor& moments) {
  std::vector<Image> images;
  for (std::vector<uint8_t>& bytes : VideoBytes(moments)) {
    Image& image = images.emplace_back();
    image.height = static_cast<int>(moments.size(2));
    image.width = static_cast<int>(moments.size(3));
    image.rgb = std::move(bytes);
  }
  return images;
}

SampleRow RowOf(const std::string& label, const std::vector<Image>& images) {
  const Image strip = Filmstrip(images);
  return {label, EncodePng(strip.width, strip.height, strip.rgb), strip.width};
}

// Action images [3, T, H, W] in [-1, 1] over pictures of the same moments.
SampleRow OverlayRow(const std::string& label, const at::Tensor& video, const at::Tensor& actions,
                     const ActionImageSpec& spec) {
  std::vector<Image> images = ImagesOf(SmallMoments(video));
  const at::Tensor moments = (SmallMoments(actions) + 1) / 2;
  for (size_t i = 0; i < images.size(); ++i) {
    const at::Tensor action = moments.select(1, static_cast<int64_t>(i)).contiguous();
    images[i] = BlendActionImage(
        images[i], {action.const_data_ptr<float>(), static_cast<size_t>(action.numel())}, 0.8,
        spec.pedestal);
  }
  return RowOf(label, images);
}

std::string ResultOf(const Clip& clip, const GeneratedClip& generated) {
  if (generated.poses.empty()) return "";
  PoseErrors errors;
  errors.Add(generated.poses, clip.poses);
  if (errors.not_decodable == errors.num_frames) return "no pose can be decoded";
  return "tip " + NumberText(SpreadOf(errors.position_mm).median, 1) + " mm and " +
         NumberText(SpreadOf(errors.rotation_deg).median, 1) +
         "\u00B0 from the recorded one (median); " + std::to_string(errors.not_decodable) + " of " +
         CountText(errors.num_frames, "frame") + " not decodable";
}

SampleStrip StripOf(const Clip& clip, const GeneratedClip& generated, const ActionImageSpec& spec) {
  SampleStrip strip{.prompt = clip.prompt, .result = ResultOf(clip, generated), .rows = {}};
  const ClipView& view = clip.views.at(0);
  const at::Tensor truth = VideoTensor(view, clip.height, clip.width, view.num_frames);
  if (!generated.videos.empty()) {
    strip.rows.push_back(RowOf("recorded", ImagesOf(SmallMoments(truth))));
    strip.rows.push_back(RowOf("model", ImagesOf(SmallMoments(generated.videos[0]))));
  }
  if (!generated.action_videos.empty()) {
    const at::Tensor actions = ActionTensor(clip.poses, view.camera, spec);
    strip.rows.push_back(OverlayRow("recorded actions", truth, actions, spec));
    strip.rows.push_back(OverlayRow("model's actions", truth, generated.action_videos[0], spec));
  }
  return strip;
}

}  // namespace

std::vector<SampleStrip> MakeSampleStrips(const GeneratorModel& model, const Mode& mode,
                                          const std::vector<Clip>& clips,
                                          const GenerateOptions& options, const Rng& rng) {
  const std::vector<GeneratedClip> generated = Generate(model, mode, clips, options, rng);
  std::vector<SampleStrip> strips;
  for (size_t i = 0; i < clips.size(); ++i)
    strips.push_back(StripOf(clips[i], generated[i], model.spec));
  return strips;
}

}  // namespace aim
