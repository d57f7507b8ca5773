// A fixed linear code for small videos: principal components of blocks of pixels.
// docs/reference/small-model.md 2.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "aim/base/options.h"
#include "aim/model/autoencoder.h"
#include "aim/tensor/weights.h"

namespace aim {

struct PcaOptions {
  int channels = 64;
  int block_px = 8;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("channels", self.channels, Range{1, 3072}, "components kept of every block");
    visit("block_px", self.block_px, Range{1, 32}, "pixels a block has a side");
  }
  // At most 3 * block_px^2 channels, all that a block of the first frame holds. Throws ConfigError.
  void Validate() const;
};

// A block is block_px x block_px pixels of one frame (the first) or of 4 frames (all later ones),
// times 3 colours, flattened in the order (colour, frame, row, column). With the mean m [D], the
// orthonormal basis U [C, D] and the scale s [C] of its kind and place,
//
//     latent = U (block - m) / s        block = m + U^T (s * latent)
//
// s_k = r sqrt(std_k): partial whitening, with r such that the latents of the fitted clips have
// unit RMS. Decode inverts Encode on latents exactly; it does not clamp.
class PcaAutoencoder : public Autoencoder {
 public:
  // Names: {video,action}.{first,rest}.{mean,basis,scale}.
  static ShapeMap WeightShapes(const PcaOptions& options);

  // Throws InputError listing what is missing, unknown, of wrong shape, not finite or a scale that
  // is not positive; `where` names the file. Weights become float32.
  PcaAutoencoder(const PcaOptions& options, const WeightMap& weights, const std::string& where);

  at::Tensor Encode(const at::Tensor& video, ContentKind kind) const override;
  at::Tensor Decode(const at::Tensor& latent, ContentKind kind) const override;
  int64_t channels() const override { return options_.channels; }
  int64_t spatial_factor() const override { return options_.block_px; }
  int64_t temporal_factor() const override { return 4; }
  c10::Device device() const override { return weights_.begin()->second.device(); }

  const PcaOptions& options() const { return options_; }
  const WeightMap& weights() const { return weights_; }

  // The same code with its weights on `device`.
  PcaAutoencoder To(c10::Device device) const;

 private:
  // A block is encoded by one matrix product and decoded by another.
  struct Code {
    at::Tensor encode_weight;  // [C, D]
    at::Tensor encode_bias;    // [C]
    at::Tensor decode_weight;  // [D, C]
    at::Tensor decode_bias;    // [D]
  };

  PcaOptions options_;
  WeightMap weights_;
  std::array<std::array<Code, 2>, 2> codes_;  // [kind][first, rest]
};

// Fits the four bases from clips. Covariances are summed in double precision; for one machine the
// result depends on nothing but the clips and their order.
class PcaFitter {
 public:
  explicit PcaFitter(const PcaOptions& options);

  // video [B, 3, T, H, W] as for Encode; T = 1 adds to the code of first frames only.
  void AddClip(const at::Tensor& video, ContentKind kind);

  // Components by falling variance; the largest entry of each is positive. Throws InputError naming
  // the code (video.rest, ...) that has fewer blocks than channels.
  PcaAutoencoder Solve() const;

 private:
  struct Moments {
    at::Tensor sum;         // [D] float64
    at::Tensor second_sum;  // [D, D] float64
    int64_t count = 0;
  };

  PcaOptions options_;
  std::array<std::array<Moments, 2>, 2> moments_;  // [kind][first, rest]
};

}  // namespace aim
