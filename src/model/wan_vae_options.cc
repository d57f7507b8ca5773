#include "aim/model/wan_vae_options.h"

#include <algorithm>

#include "aim/base/error.h"

namespace aim {
namespace {

void CheckLength(size_t length, size_t expected, const std::string& key, const std::string& why) {
  if (length == expected) return;
  throw ConfigError({.where = "vae." + key,
                     .got = "a list of " + std::to_string(length),
                     .expected = std::to_string(expected) + " items, " + why,
                     .fix = ""});
}

// Runs of cells become channels and back: one must be a multiple of the other.
void CheckDivides(int64_t in, int64_t cells, int64_t out, const std::string& stage) {
  if (in * cells % out == 0) return;
  throw ConfigError({.where = "vae.dim_mult",
                     .got = "a shortcut of the " + stage + " from " + std::to_string(in) +
                            " channels times " + std::to_string(cells) + " cells to " +
                            std::to_string(out),
                     .expected = "a whole ratio",
                     .fix = "set is_residual = false or other multipliers"});
}

}  // namespace

std::vector<double> WanVaeOptions::DefaultMean() {
  return {-0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174,  0.1838,  0.1557,  -0.1382, 0.0542,
          0.2813,  0.0891,  0.1570,  -0.0098, 0.0375,  -0.1825, -0.2246, -0.1207, -0.0698, 0.5109,
          0.2665,  -0.2108, -0.2158, 0.2502,  -0.2055, -0.0322, 0.1109,  0.1567,  -0.0729, 0.0899,
          -0.2799, -0.1230, -0.0313, -0.1649, 0.0117,  0.0723,  -0.2839, -0.2083, -0.0520, 0.3748,
          0.0152,  0.1957,  0.1433,  -0.2944, 0.3573,  -0.0548, -0.1681, -0.0667};
}

std::vector<double> WanVaeOptions::DefaultStd() {
  return {0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344,
          0.5894, 1.0901, 0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804,
          0.5833, 1.4146, 0.8986, 0.5659, 0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999,
          0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887,
          0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744};
}

int WanVaeOptions::temporal_factor() const {
  return 1 << std::count(temporal_downsample.begin(), temporal_downsample.end(), true);
}

void WanVaeOptions::Validate() const {
  CheckRanges(*this, "vae");
  const size_t stages = dim_mult.size();
  if (stages == 0 || stages > 8) CheckLength(stages, 4, "dim_mult", "at most 8 and at least 1");
  CheckLength(temporal_downsample.size(), stages - 1, "temporal_downsample",
              "one for every stage but the last");
  const auto z = static_cast<size_t>(z_dim);
  if (!latents_mean.empty()) CheckLength(latents_mean.size(), z, "latents_mean", "one a channel");
  if (!latents_std.empty()) CheckLength(latents_std.size(), z, "latents_std", "one a channel");

  int64_t in = base_dim;
  int64_t up_in = int64_t{decoder_base_dim} * dim_mult.back();
  for (size_t stage = 0; stage < stages; ++stage) {
    const bool last = stage + 1 == stages;
    const int64_t out = int64_t{base_dim} * dim_mult[stage];
    const int64_t up_out = int64_t{decoder_base_dim} * dim_mult[stages - 1 - stage];
    if (is_residual) {
      const int64_t cells = last ? 1 : (temporal_downsample[stage] ? 8 : 4);
      CheckDivides(in, cells, out, "encoder");
      const int64_t up_cells = last ? 0 : (temporal_downsample[stages - 2 - stage] ? 8 : 4);
      if (!last) CheckDivides(up_out, up_cells, up_in, "decoder");
    } else if (!last && up_out < 2) {
      throw ConfigError({.where = "vae.decoder_base_dim",
                         .got = std::to_string(up_out) + " channels in a stage that halves them",
                         .expected = "at least 2",
                         .fix = ""});
    }
    in = out;
    up_in = up_out;
  }
}

WanVaeOptions Wan21VaeOptions() {
  WanVaeOptions options;
  options.base_dim = 96;
  options.decoder_base_dim = 96;
  options.z_dim = 16;
  options.patch_size = 1;
  options.is_residual = false;
  options.latents_mean = {-0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,  -0.1517, 1.5508,
                          0.4134,  -0.0715, 0.5517,  -0.3632, -0.1922, -0.9497, 0.2503,  -0.2921};
  options.latents_std = {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
                         3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160};
  return options;
}

}  // namespace aim
