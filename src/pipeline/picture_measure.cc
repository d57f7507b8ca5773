#include "pipeline/picture_measure.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "aim/base/parallel.h"
#include "aim/metrics/picture_quality.h"

namespace aim {
namespace {

// Of a batch of pictures through LPIPS, both sides together.
constexpr int kPixelsPerBatch = 1 << 20;

size_t PictureBytes(const Clip& clip) {
  return 3 * static_cast<size_t>(clip.width) * static_cast<size_t>(clip.height);
}

// [H, W, 3] of frames [begin, end) of a view.
std::span<const uint8_t> PicturesOf(const Clip& clip, size_t view, int begin, int end) {
  const size_t size = PictureBytes(clip);
  return std::span(clip.views[view].rgb)
      .subspan(static_cast<size_t>(begin) * size, static_cast<size_t>(end - begin) * size);
}

// The same, [N, 3, H, W] in [-1, 1].
at::Tensor PictureTensor(const Clip& clip, size_t view, int begin, int end, c10::Device device) {
  const auto* bytes = PicturesOf(clip, view, begin, end).data();
  const at::Tensor pixels = at::from_blob(const_cast<uint8_t*>(bytes),
                                          {end - begin, clip.height, clip.width, 3}, at::kByte);
  return pixels.to(device).permute({0, 3, 1, 2}).to(at::kFloat).div_(127.5).sub_(1);
}

}  // namespace

MetricNetworks LoadMetricNetworks(const MetricOptions& options, c10::Device device) {
  const std::set<Metric> metrics = options.Chosen();
  MetricNetworks networks{.lpips = std::nullopt, .i3d = std::nullopt, .device = device};
  if (metrics.contains(Metric::kLpips)) {
    networks.lpips = Lpips::Load(options.lpips, options.weights, device);
  }
  if (metrics.contains(Metric::kFvd)) networks.i3d = I3d::Load(options.weights, device);
  return networks;
}

PictureMeasure::PictureMeasure(const MetricOptions& options, const MetricNetworks& networks,
                               const PictureExtent& extent, Missing& missing)
    : networks_(networks), fvd_frames_(options.fvd_frames) {
  const std::set<Metric> metrics = options.Chosen();
  const int side = std::min(extent.width, extent.height);
  with_psnr_ = metrics.contains(Metric::kPsnr);
  with_ssim_ =
      metrics.contains(Metric::kSsim) && FitsPictures(Metric::kSsim, side, kSsimWindowPx, missing);
  with_lpips_ = metrics.contains(Metric::kLpips) &&
                FitsPictures(Metric::kLpips, side, networks.lpips->min_size_px(), missing);
  if (!metrics.contains(Metric::kFvd)) return;
  with_fvd_ = extent.num_frames >= fvd_frames_;
  if (with_fvd_) return;
  missing[ToWord(Metric::kFvd)] =
      "fewer than the " + std::to_string(fvd_frames_) + " frames of a clip";
}

bool PictureMeasure::FitsPictures(Metric metric, int side_px, int needed_px,
                                  Missing& missing) const {
  if (side_px >= needed_px) return true;
  missing[ToWord(metric)] = "pictures with sides below " + std::to_string(needed_px) + " pixels";
  return false;
}

void PictureMeasure::Score(const Clip& judged, const Clip& truth, int first, Scores& scores) const {
  for (size_t view = 0; view < truth.views.size(); ++view) {
    if (with_psnr_ || with_ssim_) ScorePixels(judged, truth, view, first, scores);
    if (with_lpips_) ScoreFeatures(judged, truth, view, first, scores);
  }
}

void PictureMeasure::ScorePixels(const Clip& judged, const Clip& truth, size_t view, int first,
                                 Scores& scores) const {
  const int end = truth.views[view].num_frames;
  const auto count = static_cast<size_t>(end - first);
  std::vector<double> psnr_db(count), ssim(count);
  ParallelFor(end - first, NumProcessors(), [&](int64_t i) {
    const int frame = first + static_cast<int>(i);
    const std::span<const uint8_t> a = PicturesOf(judged, view, frame, frame + 1);
    const std::span<const uint8_t> b = PicturesOf(truth, view, frame, frame + 1);
    const auto k = static_cast<size_t>(i);
    if (with_psnr_) psnr_db[k] = PicturePsnrDb(a, b);
    if (with_ssim_) ssim[k] = Ssim(a, b, truth.width, truth.height);
  });
  for (size_t i = 0; i < count; ++i) {
    if (with_ssim_) scores["ssim"].AddValue(ssim[i]);
    if (!with_psnr_) continue;
    const bool is_equal = std::isinf(psnr_db[i]);
    scores["equal_pictures"].AddValue(is_equal ? 1 : 0);
    if (!is_equal) scores["psnr_db"].AddValue(psnr_db[i]);
  }
}

void PictureMeasure::ScoreFeatures(const Clip& judged, const Clip& truth, size_t view, int first,
                                   Scores& scores) const {
  const int end = truth.views[view].num_frames;
  const int batch = std::max(1, kPixelsPerBatch / (2 * truth.width * truth.height));
  for (int begin = first; begin < end; begin += batch) {
    const int stop = std::min(end, begin + batch);
    const at::Tensor distances =
        networks_.lpips
            ->Distance(PictureTensor(judged, view, begin, stop, networks_.device),
                       PictureTensor(truth, view, begin, stop, networks_.device))
            .to(at::kCPU, at::kDouble);
    for (int64_t i = 0; i < distances.size(0); ++i) {
      scores["lpips"].AddValue(distances[i].item<double>());
    }
  }
}

void PictureMeasure::AddFeatures(const Clip& clip, std::vector<Eigen::VectorXd>& features) const {
  if (!with_fvd_) return;
  const int num_frames = clip.views[0].num_frames;
  for (int begin = 0; begin + fvd_frames_ <= num_frames; begin += fvd_frames_) {
    for (size_t view = 0; view < clip.views.size(); ++view) {
      const at::Tensor video = I3dVideo(PicturesOf(clip, view, begin, begin + fvd_frames_),
                                        fvd_frames_, clip.width, clip.height, networks_.device);
      const at::Tensor row =
          networks_.i3d->Features(video)[0].to(at::kCPU, at::kDouble).contiguous();
      features.emplace_back(
          Eigen::Map<const Eigen::VectorXd>(row.const_data_ptr<double>(), kI3dFeatures));
    }
  }
}

}  // namespace aim
