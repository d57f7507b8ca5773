// Pictures in overlapping tiles, blended where they overlap.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "aim/model/wan_vae_options.h"
#include "aim/recipe/wan_vae_run_options.h"

namespace aim {

struct PictureTile {
  int64_t top = 0;
  int64_t left = 0;
  int64_t height = 0;
  int64_t width = 0;
};

class TilePlan {
 public:
  // Tiles of a latent of height x width, each latent `scale` pixels a side. One tile if the options
  // ask for none.
  TilePlan(int64_t height, int64_t width, const WanVaeRunOptions& run, int64_t scale);

  const std::vector<PictureTile>& tiles() const { return tiles_; }

  // Calls `make` for each tile and joins what it returns, [..., tile.height * scale, tile.width *
  // scale]: where tiles overlap, weights fall linearly towards a tile's edge and add up to 1.
  at::Tensor Blend(int64_t scale, const std::function<at::Tensor(const PictureTile&)>& make) const;

 private:
  int64_t height_;
  int64_t width_;
  std::vector<PictureTile> tiles_;
};

}  // namespace aim
