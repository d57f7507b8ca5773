#include "aim/recipe/wan_vae_run_options.h"

namespace aim {

void WanVaeRunOptions::Validate() const {
  CheckRanges(*this, "vae");
  if (tile_px > 0 && 2 * overlap_px > tile_px) {
    throw ConfigError({.where = "vae.overlap_px",
                       .got = std::to_string(overlap_px),
                       .expected = "at most half of tile_px = " + std::to_string(tile_px),
                       .fix = ""});
  }
}

}  // namespace aim
