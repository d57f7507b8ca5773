#include "aim/model/pca_autoencoder.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "aim/base/error.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

constexpr int64_t kFramesPerLatent = 4;
constexpr std::array<const char*, 2> kKindNames = {"video", "action"};
constexpr std::array<const char*, 2> kPlaceNames = {"first", "rest"};
// A component that never varied gets this share of the largest deviation, so that nothing is
// divided by zero and nothing is amplified beyond bounds.
constexpr double kMinStdRatio = 1e-4;

size_t Index(ContentKind kind) { return kind == ContentKind::kVideo ? 0 : 1; }

std::string CodeName(size_t kind, size_t place) {
  return std::string(kKindNames[kind]) + "." + kPlaceNames[place];
}

int64_t FramesOf(size_t place) { return place == 0 ? 1 : kFramesPerLatent; }

int64_t BlockSize(const PcaOptions& options, size_t place) {
  return kColours * FramesOf(place) * options.block_px * options.block_px;
}

// [B, 3, n * frames, H, W] -> [B, n, h, w, 3 * frames * s * s]
at::Tensor ToBlocks(const at::Tensor& video, int64_t frames, int64_t s) {
  const int64_t batch = video.size(0);
  const int64_t n = video.size(2) / frames;
  const int64_t h = video.size(3) / s;
  const int64_t w = video.size(4) / s;
  return video.reshape({batch, kColours, n, frames, h, s, w, s})
      .permute({0, 2, 4, 6, 1, 3, 5, 7})
      .reshape({batch, n, h, w, kColours * frames * s * s});
}

// The inverse of ToBlocks.
at::Tensor FromBlocks(const at::Tensor& blocks, int64_t frames, int64_t s) {
  const int64_t batch = blocks.size(0);
  const int64_t n = blocks.size(1);
  const int64_t h = blocks.size(2);
  const int64_t w = blocks.size(3);
  return blocks.reshape({batch, n, h, w, kColours, frames, s, s})
      .permute({0, 4, 1, 5, 2, 6, 3, 7})
      .reshape({batch, kColours, n * frames, h * s, w * s});
}

void CheckVideo(const at::Tensor& video, const PcaOptions& options) {
  CheckShape(video, {"B", kColours, "T", "H", "W"}, "video");
  CheckDtype(video, at::kFloat, "video");
  LatentFrames(video.size(2), kFramesPerLatent);
  const int64_t s = options.block_px;
  if (video.size(3) % s != 0 || video.size(4) % s != 0 || video.numel() == 0) {
    throw InputError({.where = "video",
                      .got = ShapeText(video.sizes()),
                      .expected = "height and width that are multiples of " + std::to_string(s),
                      .fix = "resize it"});
  }
}

// The frames that one code sees: the first, or all others (maybe none).
at::Tensor FramesAt(const at::Tensor& video, size_t place) {
  return place == 0 ? video.narrow(2, 0, 1) : video.narrow(2, 1, video.size(2) - 1);
}

struct Basis {
  at::Tensor mean;   // [D]
  at::Tensor basis;  // [C, D]
  at::Tensor scale;  // [C]
};

// Leading eigenvectors of the covariance, signs and scales fixed. All float64.
Basis SolveBasis(const at::Tensor& sum, const at::Tensor& second_sum, int64_t count,
                 int64_t channels) {
  const double n = static_cast<double>(count);
  const at::Tensor mean = sum / n;
  const at::Tensor covariance = second_sum / n - at::outer(mean, mean);
  const auto [values, vectors] = at::linalg_eigh(covariance);  // rising
  at::Tensor basis = vectors.flip({1}).narrow(1, 0, channels).t().contiguous();
  const at::Tensor variance = values.flip({0}).narrow(0, 0, channels).clamp_min(0.0);

  const at::Tensor largest = basis.gather(1, basis.abs().argmax(1, true));
  basis = basis * at::where(largest < 0, -1.0, 1.0);

  // Floor: an exactly constant input leaves no deviation at all.
  const at::Tensor deviation = variance.sqrt();
  const double floor = std::max(deviation[0].item<double>() * kMinStdRatio, 1e-6);
  const at::Tensor bounded = deviation.clamp_min(floor);
  // Latents U (x - m) / (r sqrt(std)) have mean square sum(std) / (C r^2).
  const double rms = std::sqrt(std::max(deviation.mean().item<double>(), floor));
  return {.mean = mean, .basis = basis, .scale = bounded.sqrt() * rms};
}

}  // namespace

void PcaOptions::Validate() const {
  CheckRanges(*this, "pca");
  const int most = 3 * block_px * block_px;
  if (channels > most) {
    throw ConfigError({.where = "pca.channels",
                       .got = std::to_string(channels),
                       .expected = "at most 3 * block_px^2 = " + std::to_string(most),
                       .fix = "a block of the first frame has no more components"});
  }
}

ShapeMap PcaAutoencoder::WeightShapes(const PcaOptions& options) {
  ShapeMap shapes;
  for (size_t kind = 0; kind < 2; ++kind) {
    for (size_t place = 0; place < 2; ++place) {
      const std::string name = CodeName(kind, place);
      shapes[name + ".mean"] = {BlockSize(options, place)};
      shapes[name + ".basis"] = {options.channels, BlockSize(options, place)};
      shapes[name + ".scale"] = {options.channels};
    }
  }
  return shapes;
}

PcaAutoencoder::PcaAutoencoder(const PcaOptions& options, const WeightMap& weights,
                               const std::string& where)
    : options_(options) {
  options.Validate();
  CheckWeights(weights, WeightShapes(options), where);
  CheckFinite(weights, where);
  for (const auto& [name, weight] : weights) weights_[name] = weight.to(at::kFloat);
  for (size_t kind = 0; kind < 2; ++kind) {
    for (size_t place = 0; place < 2; ++place) {
      const std::string name = CodeName(kind, place);
      const at::Tensor& mean = weights_.at(name + ".mean");
      const at::Tensor& basis = weights_.at(name + ".basis");
      const at::Tensor& scale = weights_.at(name + ".scale");
      if (!(scale > 0).all().item<bool>()) {
        throw InputError({.where = where + ": " + name + ".scale",
                          .got = "not positive everywhere",
                          .expected = "positive numbers",
                          .fix = "fit the autoencoder again"});
      }
      const at::Tensor encode_weight = basis / scale.unsqueeze(1);
      codes_[kind][place] = {.encode_weight = encode_weight,
                             .encode_bias = -at::mv(encode_weight, mean),
                             .decode_weight = (basis * scale.unsqueeze(1)).t().contiguous(),
                             .decode_bias = mean};
    }
  }
}

PcaAutoencoder PcaAutoencoder::To(c10::Device device) const {
  return PcaAutoencoder(options_, ConvertWeights(weights_, at::kFloat, device), "autoencoder");
}

at::Tensor PcaAutoencoder::Encode(const at::Tensor& video, ContentKind kind) const {
  CheckVideo(video, options_);
  std::vector<at::Tensor> parts;
  for (size_t place = 0; place < 2; ++place) {
    const at::Tensor frames = FramesAt(video, place);
    if (frames.size(2) == 0) continue;
    const Code& code = codes_[Index(kind)][place];
    const at::Tensor blocks = ToBlocks(frames, FramesOf(place), options_.block_px);
    parts.push_back(at::linear(blocks, code.encode_weight, code.encode_bias));
  }
  return at::cat(parts, 1).permute({0, 4, 1, 2, 3}).contiguous();
}

at::Tensor PcaAutoencoder::Decode(const at::Tensor& latent, ContentKind kind) const {
  CheckShape(latent, {"B", options_.channels, "F", "h", "w"}, "latent");
  CheckDtype(latent, at::kFloat, "latent");
  if (latent.numel() == 0) {
    throw InputError({.where = "latent",
                      .got = ShapeText(latent.sizes()),
                      .expected = "at least one latent frame",
                      .fix = ""});
  }
  std::vector<at::Tensor> parts;
  for (size_t place = 0; place < 2; ++place) {
    const at::Tensor frames = FramesAt(latent, place);
    if (frames.size(2) == 0) continue;
    const Code& code = codes_[Index(kind)][place];
    const at::Tensor blocks =
        at::linear(frames.permute({0, 2, 3, 4, 1}), code.decode_weight, code.decode_bias);
    parts.push_back(FromBlocks(blocks, FramesOf(place), options_.block_px));
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts, 2);
}

PcaFitter::PcaFitter(const PcaOptions& options) : options_(options) {
  options.Validate();
  for (auto& kind : moments_) {
    for (size_t place = 0; place < 2; ++place) {
      const int64_t size = BlockSize(options, place);
      kind[place] = {.sum = at::zeros({size}, at::kDouble),
                     .second_sum = at::zeros({size, size}, at::kDouble)};
    }
  }
}

void PcaFitter::AddClip(const at::Tensor& video, ContentKind kind) {
  CheckVideo(video, options_);
  const c10::NoGradGuard no_grad;
  for (size_t place = 0; place < 2; ++place) {
    const at::Tensor frames = FramesAt(video, place);
    if (frames.size(2) == 0) continue;
    const at::Tensor blocks =
        ToBlocks(frames, FramesOf(place), options_.block_px).flatten(0, 3).to(at::kDouble);
    Moments& moments = moments_[Index(kind)][place];
    moments.sum += blocks.sum(0);
    moments.second_sum.addmm_(blocks.t(), blocks);
    moments.count += blocks.size(0);
  }
}

PcaAutoencoder PcaFitter::Solve() const {
  WeightMap weights;
  for (size_t kind = 0; kind < 2; ++kind) {
    for (size_t place = 0; place < 2; ++place) {
      const std::string name = CodeName(kind, place);
      const Moments& moments = moments_[kind][place];
      if (moments.count < options_.channels) {
        throw InputError(
            {.where = "the autoencoder's code " + name,
             .got = "fitted to " + std::to_string(moments.count) + " blocks",
             .expected = "at least " + std::to_string(options_.channels) + ", one a channel",
             .fix = "add clips"});
      }
      const Basis basis =
          SolveBasis(moments.sum, moments.second_sum, moments.count, options_.channels);
      weights[name + ".mean"] = basis.mean.to(at::kFloat);
      weights[name + ".basis"] = basis.basis.to(at::kFloat);
      weights[name + ".scale"] = basis.scale.to(at::kFloat);
    }
  }
  return PcaAutoencoder(options_, weights, "the fitted autoencoder");
}

}  // namespace aim
