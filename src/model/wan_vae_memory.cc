#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/memory.h"
#include "aim/kernels/convolution.h"
#include "aim/model/wan_vae.h"
#include "model/wan_vae_layers.h"

namespace aim {
namespace {

using Kind = WanVaeLayer::Kind;

constexpr double kBytesPerGib = 1024.0 * 1024.0 * 1024.0;

// Follows one piece through the decoder and adds up what is alive at each layer.
class DecoderMemory {
 public:
  DecoderMemory(const VideoExtent& tile, int64_t element_size, bool whole)
      : batch_(tile.batch),
        num_frames_(tile.num_frames),
        height_(tile.height),
        width_(tile.width),
        element_size_(element_size),
        whole_(whole) {}

  void Visit(const WanVaeLayer& layer) {
    switch (layer.kind) {
      case Kind::kConv:
      case Kind::kHead:
        Convolve(layer.in, layer.out, 0);
        break;
      case Kind::kResidual:
        Convolve(layer.in, layer.out, Size(layer.in, num_frames_));
        Convolve(layer.out, layer.out, Size(layer.out, num_frames_));
        break;
      case Kind::kAttention:
        Reach(9 * Size(layer.in, num_frames_));
        break;
      case Kind::kUp:
        Enlarge(layer);
        break;
      case Kind::kBranch:
        branch_ = Size(layer.in, num_frames_);
        break;
      case Kind::kRepeat:
        Reach(Size(layer.out, num_frames_) * 9 / 8);
        branch_ = 0;
        break;
      case Kind::kDown:
      case Kind::kAverage:
        AIM_CHECK(false);
    }
  }

  int64_t bytes() const { return peak_ + cache_; }

 private:
  int64_t Size(int64_t channels, int64_t frames) const {
    return batch_ * frames * height_ * width_ * channels * element_size_;
  }
  void Reach(int64_t size_bytes) { peak_ = std::max(peak_, size_bytes + branch_); }

  void Convolve(int64_t in, int64_t out, int64_t held) {
    if (!whole_) cache_ += Size(in, 2);
    const int64_t input = Size(in, num_frames_ + 2);
    Reach(held + input + Size(in, num_frames_));
    Reach(held + input + Size(out, num_frames_) +
          ConvScratchBytes(in, out, 3, num_frames_, height_ * width_ / 4));
  }

  void Enlarge(const WanVaeLayer& layer) {
    if (layer.temporal) {
      if (!whole_) cache_ += Size(layer.in, 2);
      Reach(Size(layer.in, num_frames_ + 2) + 5 * Size(layer.in, num_frames_));
      num_frames_ = whole_ ? 2 * num_frames_ - 1 : 2 * num_frames_;
    }
    const int64_t input = Size(layer.in, num_frames_);
    const int64_t scratch = ConvScratchBytes(layer.in, layer.out, 1, num_frames_, height_ * width_);
    height_ *= 2;
    width_ *= 2;
    Reach(input + scratch + Size(layer.out, num_frames_));
  }

  int64_t batch_;
  int64_t num_frames_;
  int64_t height_;
  int64_t width_;
  int64_t element_size_;
  bool whole_;
  int64_t branch_ = 0;
  int64_t cache_ = 0;
  int64_t peak_ = 0;
};

int64_t NumValues(const ShapeMap& shapes) {
  int64_t total = 0;
  for (const auto& [name, shape] : shapes) total += c10::multiply_integers(shape);
  return total;
}

}  // namespace

int64_t WanVaeDecodeBytes(const WanVaeOptions& options, const WanVaeRunOptions& run,
                          const VideoExtent& extent, at::ScalarType dtype) {
  const auto element_size = static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t scale = options.spatial_factor();
  const int64_t latent_frames = LatentFrames(extent.num_frames, options.temporal_factor());
  const bool whole = run.form == VaeForm::kWhole || latent_frames == 1;
  VideoExtent tile = extent;
  if (run.tile_px > 0) {
    tile.height = std::min<int64_t>(tile.height, run.tile_px);
    tile.width = std::min<int64_t>(tile.width, run.tile_px);
  }
  const bool tiled = tile.height < extent.height || tile.width < extent.width;
  const auto video_bytes = [](const VideoExtent& video) {
    return video.batch * video.num_frames * video.height * video.width * 3 * 4;
  };
  int64_t total = NumValues(WanVaeWeightShapes(options)) * element_size + video_bytes(extent);
  if (tiled) total += video_bytes(tile);
  const VideoExtent piece{
      .num_frames = whole ? latent_frames : std::min<int64_t>(run.chunk_latents, latent_frames - 1),
      .height = tile.height / scale,
      .width = tile.width / scale,
      .batch = extent.batch};
  DecoderMemory memory(piece, element_size, whole);
  for (const WanVaeLayer& layer : DecoderLayers(options)) memory.Visit(layer);
  return total + memory.bytes();
}

WanVaeRunOptions FitWanVaeRun(const WanVaeOptions& options, const WanVaeRunOptions& run,
                              const VideoExtent& extent, at::ScalarType dtype) {
  if (run.memory_gib <= 0) return run;
  const double budget = run.memory_gib * kBytesPerGib;
  int64_t needed = WanVaeDecodeBytes(options, run, extent, dtype);
  const int scale = options.spatial_factor();
  const int64_t side = std::max(extent.height, extent.width);
  const int64_t largest = run.tile_px == 0 ? side : std::min<int64_t>(run.tile_px, side);
  WanVaeRunOptions fitting = run;
  // Below four latents a side most of a tile would be overlap.
  for (int tile = static_cast<int>(largest) - scale; static_cast<double>(needed) > budget;
       tile -= scale) {
    if (tile < 4 * scale) {
      throw ConfigError({.where = "vae.memory_gib",
                         .got = MemoryText(static_cast<int64_t>(budget)),
                         .expected = "at least " + MemoryText(needed) +
                                     ", what the smallest tiles take for this clip",
                         .fix = "cut the clip, decode fewer at a time, or use a narrower dtype"});
    }
    fitting.tile_px = tile;
    fitting.overlap_px = std::min(run.overlap_px, tile / 2);
    needed = WanVaeDecodeBytes(options, fitting, extent, dtype);
  }
  return fitting;
}

}  // namespace aim
