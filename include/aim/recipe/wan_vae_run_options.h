// How a Wan video autoencoder is run: what is chosen for a run, whatever the weights.
#pragma once

#include "aim/base/options.h"

namespace aim {

enum class VaeForm { kChunked, kWhole };
constexpr auto WordsOf(VaeForm) {
  return WordTable<VaeForm, 2>{{{VaeForm::kChunked, "chunked"}, {VaeForm::kWhole, "whole"}}};
}

// How a clip passes through. The forms give the same result to rounding; tiles do not: the
// network sees less around them, so seams are blended.
struct WanVaeRunOptions {
  VaeForm form = VaeForm::kChunked;
  int chunk_latents = 1;
  int tile_px = 0;
  int overlap_px = 64;
  double memory_gib = 0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("form", self.form, Any{},
          "a few latent frames at a time, memory independent of the clip's length, or all at once");
    visit("chunk_latents", self.chunk_latents, Range{1, 64},
          "chunked: latent frames at a time after the first");
    visit("tile_px", self.tile_px, Range{0, 16384},
          "side of the square tiles of a picture in pixels; 0 = no tiles");
    visit("overlap_px", self.overlap_px, Range{0, 4096}, "pixels over which two tiles are blended");
    visit("memory_gib", self.memory_gib, Range{0, 1 << 20},
          "decode in tiles small enough for this much memory, weights included, in GiB; 0 = any");
  }
  // Throws ConfigError if tiles overlap by more than half of their side.
  void Validate() const;
};

}  // namespace aim
