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
constexpr size_t kMostMoments = 6;

// A video [3, T, H, W] in [-1, 1], small: [3, T, h, w].
at::Tensor Shrunk(const at::Tensor& video) {
  const at::Tensor frames = video.to(at::kCPU, at::kFloat);
  const int64_t height = frames.size(2), width = frames.size(3);
  const int64_t shrink = (std::max(height, width) + kLargestSidePx - 1) / kLargestSidePx;
  if (shrink <= 1) return frames;
  return at::adaptive_avg_pool2d(
      frames, {std::max<int64_t>(1, height / shrink), std::max<int64_t>(1, width / shrink)});
}

std::vector<Image> ImagesOf(const at::Tensor& video) {
  const at::Tensor frames = Shrunk(video);
  std::vector<Image> images;
  for (std::vector<uint8_t>& bytes : VideoBytes(frames)) {
    Image& image = images.emplace_back();
    image.height = static_cast<int>(frames.size(2));
    image.width = static_cast<int>(frames.size(3));
    image.rgb = std::move(bytes);
  }
  return images;
}

// Action images [3, T, H, W] in [-1, 1] over pictures of the same moments.
std::vector<Image> OverlaysOf(std::vector<Image> images, const at::Tensor& actions,
                              const ActionImageSpec& spec) {
  const at::Tensor small = (Shrunk(actions) + 1) / 2;
  for (size_t i = 0; i < images.size(); ++i) {
    const at::Tensor action = small.select(1, static_cast<int64_t>(i)).contiguous();
    images[i] = BlendActionImage(
        images[i], {action.const_data_ptr<float>(), static_cast<size_t>(action.numel())}, 0.8,
        spec.pedestal);
  }
  return images;
}

// Moments from start to end, evenly spread.
SampleRow RowOf(const std::string& label, const std::vector<Image>& images) {
  const size_t num_moments = std::min(kMostMoments, images.size());
  std::vector<Image> moments;
  for (size_t i = 0; i < num_moments; ++i)
    moments.push_back(images[num_moments == 1 ? 0 : (images.size() - 1) * i / (num_moments - 1)]);
  const Image strip = Filmstrip(moments);
  return {label, EncodePng(strip.width, strip.height, strip.rgb), strip.width};
}

// Both as rows, and side by side below what the frames have already.
void Put(const std::string& what, const std::vector<Image>& recorded,
         const std::vector<Image>& made, SampleStrip& strip) {
  strip.rows.push_back(RowOf("recorded" + (what.empty() ? "" : " " + what), recorded));
  strip.rows.push_back(RowOf("model" + (what.empty() ? "" : "'s " + what), made));
  for (size_t i = 0; i < made.size(); ++i) {
    const Image pair = Filmstrip(std::vector<Image>{recorded[i], made[i]});
    if (i < strip.frames.size()) {
      strip.frames[i] = StackImages(std::vector<Image>{strip.frames[i], pair});
    } else {
      strip.frames.push_back(pair);
    }
  }
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
  strip.fps = clip.fps;
  const ClipView& view = clip.views.at(0);
  const std::vector<Image> truth =
      ImagesOf(VideoTensor(view, clip.height, clip.width, view.num_frames));
  if (!generated.videos.empty()) Put("", truth, ImagesOf(generated.videos[0]), strip);
  if (!generated.action_videos.empty()) {
    const at::Tensor actions = ActionTensor(clip.poses, view.camera, spec);
    Put("actions", OverlaysOf(truth, actions, spec),
        OverlaysOf(truth, generated.action_videos[0], spec), strip);
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
