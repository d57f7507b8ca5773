// The layers of an autoencoder's two halves as a list: what has weights, what has a cache and what
// needs memory are read from it. docs/reference/wan22.md 3.1, 3.8.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aim/model/wan_vae_options.h"
#include "aim/tensor/weights.h"

namespace aim {

struct WanVaeLayer {
  enum class Kind {
    kConv,       // causal 3x3x3
    kResidual,   // RMS, SiLU, conv, RMS, SiLU, conv, plus shortcut
    kAttention,  // within a frame
    kDown,       // half the pixels, with `temporal` half the frames
    kUp,         // twice the pixels, with `temporal` twice the frames
    kHead,       // RMS, SiLU, conv
    kBranch,     // remembers its input for the next kAverage or kRepeat
    kAverage,    // adds the remembered frames, cells averaged
    kRepeat,     // adds the remembered frames, channels spread over cells
  };

  Kind kind;
  std::string name;  // of the weights; empty where there are none
  int64_t in = 0;
  int64_t out = 0;
  bool temporal = false;
  bool spatial = true;  // false: kAverage of equal size
};

std::vector<WanVaeLayer> EncoderLayers(const WanVaeOptions& options);
std::vector<WanVaeLayer> DecoderLayers(const WanVaeOptions& options);

// Adds the layer's weights to `shapes`.
void AddLayerShapes(const WanVaeLayer& layer, ShapeMap& shapes);

}  // namespace aim
