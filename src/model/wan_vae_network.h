// One half of the autoencoder, run on a clip piece by piece. Frames are [B, T, H, W, C], channels
// last in memory as in shape. wan22.md 3.2, 3.3, 3.5.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

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

class WanVaeNetwork {
 public:
  // Takes its weights out of `weights`, one by one.
  WanVaeNetwork(std::vector<WanVaeLayer> layers, WeightMap& weights);

  // The next piece of a clip. The first one holds 1 + n * temporal factor input frames of the
  // encoder, any number of the decoder; later ones n * factor, or any number. Frames at the end of
  // an encoder's piece that fill no group are an internal error.
  at::Tensor Run(at::Tensor frames, WanVaeCache& cache) const;

 private:
  struct Conv {
    at::Tensor weight;  // as WinogradTaps, or [O, I, (K,) kH, kW] channels last, or [(K,) O, I]
    at::Tensor bias;
    bool winograd = false;
  };

  void AddConv(const std::string& name, bool time_only, WeightMap& weights);
  void AddLayer(const WanVaeLayer& layer, WeightMap& weights);

  // RMS and SiLU where `gamma` is given, then the causal 3x3x3 convolution.
  at::Tensor CausalConv(at::Tensor x, const at::Tensor* gamma, const std::string& name,
                        WanVaeCache& cache) const;
  at::Tensor TimeConv(const at::Tensor& x, const std::string& name, int64_t stride) const;
  at::Tensor Residual(at::Tensor x, const WanVaeLayer& layer, WanVaeCache& cache) const;
  at::Tensor Attention(at::Tensor x, const WanVaeLayer& layer) const;
  at::Tensor Down(at::Tensor x, const WanVaeLayer& layer, WanVaeCache& cache) const;
  at::Tensor Up(at::Tensor x, const WanVaeLayer& layer, WanVaeCache& cache) const;
  at::Tensor DoubleFrames(at::Tensor x, const WanVaeLayer& layer, WanVaeCache& cache) const;

  std::vector<WanVaeLayer> layers_;
  std::map<std::string, Conv> convs_;
  std::map<std::string, at::Tensor> gammas_;
};

// RMSNorm over the last axis, statistics in float32 for narrower types, then SiLU: the reference of
// the tests and the path of other devices than the CPU and other types than float32.
at::Tensor NormSiluPlain(const at::Tensor& x, const at::Tensor& gamma);

}  // namespace aim
