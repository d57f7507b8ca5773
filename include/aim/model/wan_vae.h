// The video autoencoder of Wan 2.1 and 2.2: causal 3-D convolutions, streamed.
// docs/reference/wan22.md 3.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "aim/model/autoencoder.h"
#include "aim/model/wan_vae_options.h"
#include "aim/recipe/wan_vae_run_options.h"
#include "aim/tensor/weights.h"

namespace aim {

// Names of the official checkpoints: 196 weights for 2.2, 194 for 2.1.
// docs/reference/wan22.md 3.6, 3.8.
ShapeMap WanVaeWeightShapes(const WanVaeOptions& options);

// Pixels that a run is asked for.
struct VideoExtent {
  int64_t num_frames = 1;
  int64_t height = 0;
  int64_t width = 0;
  int64_t batch = 1;
};

// Bytes that decoding takes at its peak, weights of the whole autoencoder and result included,
// computed from the layers without running them; `dtype` is that of the weights.
int64_t WanVaeDecodeBytes(const WanVaeOptions& options, const WanVaeRunOptions& run,
                          const VideoExtent& extent, at::ScalarType dtype);

// `run` with the largest tiles that decode within run.memory_gib, or as it is if it fits or if no
// limit is set. Throws ConfigError with the smallest need if nothing fits.
WanVaeRunOptions FitWanVaeRun(const WanVaeOptions& options, const WanVaeRunOptions& run,
                              const VideoExtent& extent, at::ScalarType dtype);

class WanVae : public Autoencoder {
 public:
  // Weights under their original names, all of one dtype on one device, which are those of the
  // computation: float32 for exact results, bfloat16 on a GPU (norms stay float32). They are taken
  // over one by one into the layouts that are run, so that a caller who moves them in never holds
  // them twice. Throws InputError listing missing, unknown and wrongly shaped ones; `where` names
  // the file. Throws ConfigError if options are not valid.
  WanVae(const WanVaeOptions& options, WeightMap weights, const std::string& where,
         const WanVaeRunOptions& run = {});
  ~WanVae() override;

  // Normalised mean of the latent distribution; the kind is ignored. Not random.
  // docs/reference/wan22.md 3.4.
  at::Tensor Encode(const at::Tensor& video, ContentKind kind) const override;

  // The inverse, clamped to [-1, 1].
  at::Tensor Decode(const at::Tensor& latent, ContentKind kind) const override;

  int64_t channels() const override { return options_.z_dim; }
  int64_t spatial_factor() const override { return options_.spatial_factor(); }
  int64_t temporal_factor() const override { return options_.temporal_factor(); }
  c10::Device device() const override;

  const WanVaeOptions& options() const { return options_; }

 private:
  struct Parts;

  at::Tensor EncodeTile(const at::Tensor& video) const;
  at::Tensor DecodeTile(const at::Tensor& latent) const;

  WanVaeOptions options_;
  WanVaeRunOptions run_;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace aim
