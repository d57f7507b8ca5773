#include "aim/model/wan_vae.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "aim/base/error.h"
#include "aim/tensor/shape.h"
#include "model/wan_vae_network.h"
#include "model/wan_vae_tiles.h"

namespace aim {
namespace {

// [B, 3, T, H, W] -> [B, T, h, w, 3 p p], the column within a patch before its row.
// docs/reference/wan22.md 3.1.
at::Tensor PatchifyVideo(const at::Tensor& video, int64_t patch) {
  return video.unflatten(4, {-1, patch})
      .unflatten(3, {-1, patch})  // [B, 3, T, h, row, w, column]
      .permute({0, 2, 3, 5, 1, 6, 4})
      .flatten(4)
      .contiguous();
}

at::Tensor UnpatchifyVideo(const at::Tensor& frames, int64_t patch) {
  return frames
      .unflatten(4, {kColours, patch, patch})  // [B, T, h, w, 3, column, row]
      .permute({0, 4, 1, 2, 6, 3, 5})
      .flatten(5)
      .flatten(3, 4);
}

at::Tensor OneAChannel(const std::vector<double>& values, int64_t channels, double otherwise,
                       c10::Device device) {
  const at::Tensor row = values.empty() ? at::full({channels}, otherwise, at::kDouble)
                                        : at::tensor(values, at::kDouble);
  return row.to(device, at::kFloat);
}

// Frames of each piece of a clip: 1 and then `piece` at a time, or all at once.
std::vector<int64_t> Pieces(int64_t num_frames, int64_t piece, bool whole) {
  if (whole) return {num_frames};
  std::vector<int64_t> pieces = {1};
  for (int64_t done = 1; done < num_frames; done += piece) {
    pieces.push_back(std::min(piece, num_frames - done));
  }
  return pieces;
}

void CheckInput(const at::Tensor& tensor, c10::Device device, const std::string& name) {
  CheckDtype(tensor, at::kFloat, name);
  if (tensor.device() != device) {
    throw InputError({.where = name,
                      .got = "on " + tensor.device().str(),
                      .expected = "on " + device.str() + ", like the weights",
                      .fix = ""});
  }
}

}  // namespace

struct WanVae::Parts {
  WanVaeNetwork encoder;
  WanVaeNetwork decoder;
  at::Tensor to_mean, to_mean_bias;          // rows of the mean in `conv1`, [C, 2 C], [C]
  at::Tensor from_latent, from_latent_bias;  // `conv2`
  at::Tensor mean, std, inverse_std;         // [C] float32
  at::ScalarType dtype;
  c10::Device device;
};

ShapeMap WanVaeWeightShapes(const WanVaeOptions& options) {
  ShapeMap shapes;
  const int64_t z = options.z_dim;
  shapes["conv1.weight"] = {2 * z, 2 * z, 1, 1, 1};
  shapes["conv1.bias"] = {2 * z};
  shapes["conv2.weight"] = {z, z, 1, 1, 1};
  shapes["conv2.bias"] = {z};
  for (const WanVaeLayer& layer : EncoderLayers(options)) AddLayerShapes(layer, shapes);
  for (const WanVaeLayer& layer : DecoderLayers(options)) AddLayerShapes(layer, shapes);
  return shapes;
}

WanVae::WanVae(const WanVaeOptions& options, WeightMap weights, const std::string& where,
               const WanVaeRunOptions& run)
    : options_(options), run_(run) {
  options.Validate();
  run.Validate();
  CheckWeights(weights, WanVaeWeightShapes(options), where);
  const at::Tensor first = weights.at("conv1.weight");
  for (const auto& [name, weight] : weights) {
    if (weight.scalar_type() == first.scalar_type() && weight.device() == first.device()) continue;
    throw InputError({.where = where + ": " + name,
                      .got = "of another dtype or device than conv1.weight",
                      .expected = "one dtype on one device",
                      .fix = "convert the weights before"});
  }
  const c10::NoGradGuard no_grad;
  const int64_t z = options.z_dim;
  const c10::Device device = first.device();
  const at::Tensor deviation = OneAChannel(options.latents_std, z, 1.0, device);
  const at::Tensor quant = first.flatten(1).narrow(0, 0, z).clone();
  const at::Tensor quant_bias = weights.at("conv1.bias").narrow(0, 0, z).clone();
  const at::Tensor post = weights.at("conv2.weight").flatten(1).clone();
  const at::Tensor post_bias = weights.at("conv2.bias").clone();
  WanVaeNetwork encoder(EncoderLayers(options), weights);
  WanVaeNetwork decoder(DecoderLayers(options), weights);
  parts_ =
      std::make_unique<const Parts>(Parts{.encoder = std::move(encoder),
                                          .decoder = std::move(decoder),
                                          .to_mean = quant,
                                          .to_mean_bias = quant_bias,
                                          .from_latent = post,
                                          .from_latent_bias = post_bias,
                                          .mean = OneAChannel(options.latents_mean, z, 0.0, device),
                                          .std = deviation,
                                          .inverse_std = deviation.reciprocal(),
                                          .dtype = first.scalar_type(),
                                          .device = device});
}

WanVae::~WanVae() = default;

c10::Device WanVae::device() const { return parts_->device; }

at::Tensor WanVae::EncodeTile(const at::Tensor& video) const {
  const int64_t factor = temporal_factor();
  WanVaeCache cache;
  std::vector<at::Tensor> latents;
  int64_t begin = 0;
  for (const int64_t count :
       Pieces(video.size(2), run_.chunk_latents * factor, run_.form == VaeForm::kWhole)) {
    const at::Tensor frames =
        PatchifyVideo(video.narrow(2, begin, count), options_.patch_size).to(parts_->dtype);
    begin += count;
    cache.last = begin == video.size(2);
    const at::Tensor moments = parts_->encoder.Run(frames, cache);
    latents.push_back(at::linear(moments, parts_->to_mean, parts_->to_mean_bias).to(at::kFloat));
  }
  const at::Tensor mean = latents.size() == 1 ? latents[0] : at::cat(latents, 1);
  return ((mean - parts_->mean) * parts_->inverse_std).permute({0, 4, 1, 2, 3}).contiguous();
}

at::Tensor WanVae::DecodeTile(const at::Tensor& latent) const {
  const at::Tensor z = (latent.permute({0, 2, 3, 4, 1}) * parts_->std + parts_->mean).contiguous();
  const at::Tensor frames =
      at::linear(z.to(parts_->dtype), parts_->from_latent, parts_->from_latent_bias);
  const int64_t scale = spatial_factor();
  at::Tensor video =
      at::empty({latent.size(0), kColours, VideoFrames(latent.size(2), temporal_factor()),
                 latent.size(3) * scale, latent.size(4) * scale},
                latent.options().memory_format(at::MemoryFormat::Contiguous));
  WanVaeCache cache;
  int64_t begin = 0;
  int64_t done = 0;
  for (const int64_t count :
       Pieces(latent.size(2), run_.chunk_latents, run_.form == VaeForm::kWhole)) {
    cache.last = begin + count == latent.size(2);
    const at::Tensor piece =
        parts_->decoder.Run(frames.narrow(1, begin, count).contiguous(), cache);
    begin += count;
    video.narrow(2, done, piece.size(1)).copy_(UnpatchifyVideo(piece, options_.patch_size));
    done += piece.size(1);
  }
  return video;
}

at::Tensor WanVae::Encode(const at::Tensor& video, ContentKind) const {
  CheckShape(video, {"B", kColours, "T", "H", "W"}, "video");
  CheckInput(video, device(), "video");
  LatentFrames(video.size(2), temporal_factor());
  const int64_t scale = spatial_factor();
  if (video.size(3) % scale != 0 || video.size(4) % scale != 0 || video.numel() == 0) {
    throw InputError({.where = "video",
                      .got = ShapeText(video.sizes()),
                      .expected = "height and width that are multiples of " + std::to_string(scale),
                      .fix = "resize it"});
  }
  const c10::NoGradGuard no_grad;
  const TilePlan plan(video.size(3) / scale, video.size(4) / scale, run_, scale);
  return plan.Blend(1, [&](const PictureTile& tile) {
    return EncodeTile(video.narrow(3, tile.top * scale, tile.height * scale)
                          .narrow(4, tile.left * scale, tile.width * scale));
  });
}

at::Tensor WanVae::Decode(const at::Tensor& latent, ContentKind) const {
  CheckShape(latent, {"B", options_.z_dim, "F", "h", "w"}, "latent");
  CheckInput(latent, device(), "latent");
  if (latent.numel() == 0) {
    throw InputError({.where = "latent",
                      .got = ShapeText(latent.sizes()),
                      .expected = "at least one latent frame",
                      .fix = ""});
  }
  const c10::NoGradGuard no_grad;
  const int64_t scale = spatial_factor();
  const VideoExtent extent{.num_frames = VideoFrames(latent.size(2), temporal_factor()),
                           .height = latent.size(3) * scale,
                           .width = latent.size(4) * scale,
                           .batch = latent.size(0)};
  const WanVaeRunOptions run = FitWanVaeRun(options_, run_, extent, parts_->dtype);
  const TilePlan plan(latent.size(3), latent.size(4), run, scale);
  return plan
      .Blend(scale,
             [&](const PictureTile& tile) {
               return DecodeTile(
                   latent.narrow(3, tile.top, tile.height).narrow(4, tile.left, tile.width));
             })
      .clamp_(-1, 1);
}

}  // namespace aim
