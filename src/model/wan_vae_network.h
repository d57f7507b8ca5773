// One half of the autoencoder, run on a clip piece by piece. Frames are [B, T, H, W, C], channels
// last in memory as in shape. docs/reference/wan22.md 3.2, 3.3, 3.5.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "aim/kernels/convolution.h"
#include "model/wan_vae_layers.h"

namespace aim {

// What the layers remember of the pieces before: two frames of the input of each 3-frame
// convolution, one where frames are halved; an undefined tensor stands for zeros.
struct WanVaeCache {
  bool first = true;  // the next piece begins the clip
  bool last = false;  // nothing follows it: nothing need be remembered
  std::vector<at::Tensor> slots;
  size_t next_slot = 0;

  at::Tensor& Next() {
    if (next_slot == slots.size()) slots.emplace_back();
    return slots[next_slot++];
  }
};

// What a layer computes with; undefined where its kind has none.
struct WanVaeLayerWeights {
  at::Tensor first_gamma, second_gamma;  // [C]
  ConvWeights first, second;             // convolutions, or matrices [O, I]
  ConvWeights shortcut;                  // [O, I]
  ConvWeights time;                      // [3, O, I]
};

class WanVaeNetwork {
 public:
  // Takes its weights out of `weights`, one by one.
  WanVaeNetwork(std::vector<WanVaeLayer> layers, WeightMap& weights);

  // The next piece of a clip. The first one holds 1 + n * temporal factor input frames of the
  // encoder, any number of the decoder; later ones n * factor, or any number. Frames at the end of
  // an encoder's piece that fill no group are an internal error.
  at::Tensor Run(at::Tensor frames, WanVaeCache& cache) const;

 private:
  struct Layer {
    WanVaeLayer layer;
    WanVaeLayerWeights weights;
  };
  std::vector<Layer> layers_;
};

}  // namespace aim
