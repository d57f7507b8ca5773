// Sizes of the Wan video autoencoders and how one is run. docs/reference/wan22.md 3.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aim/base/options.h"

namespace aim {

// Any size that Diffusers' AutoencoderKLWan can have, without attention in the stages. Defaults are
// those of Wan 2.2 (48 channels, 16 x 16 pixels and 4 frames a latent); Wan21VaeOptions() gives the
// other release.
struct WanVaeOptions {
  int base_dim = 160;
  int decoder_base_dim = 256;
  int z_dim = 48;
  std::vector<int> dim_mult = {1, 2, 4, 4};
  int num_res_blocks = 2;
  std::vector<bool> temporal_downsample = {false, true, true};
  int patch_size = 2;
  bool is_residual = true;
  std::vector<double> latents_mean = DefaultMean();
  std::vector<double> latents_std = DefaultStd();

  int spatial_factor() const { return patch_size << (dim_mult.size() - 1); }
  int temporal_factor() const;
  int pixel_channels() const { return 3 * patch_size * patch_size; }

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("base_dim", self.base_dim, Range{1, 4096}, "channels of the encoder's first stage");
    visit("decoder_base_dim", self.decoder_base_dim, Range{1, 4096},
          "channels of the decoder's last stage, before its multiplier");
    visit("z_dim", self.z_dim, Range{1, 4096}, "latent channels");
    visit("dim_mult", self.dim_mult, Range{1, 64}, "channels of each stage, in units of base_dim");
    visit("num_res_blocks", self.num_res_blocks, Range{1, 16},
          "residual blocks of an encoder stage; a decoder stage has one more");
    visit("temporal_downsample", self.temporal_downsample, Any{},
          "for every stage but the last: whether it halves the frames too");
    visit("patch_size", self.patch_size, Range{1, 8}, "pixels a side that enter as channels");
    visit("is_residual", self.is_residual, Any{},
          "averaging and repeating shortcuts around the stages (2.2)");
    visit("latents_mean", self.latents_mean, Range{-1e6, 1e6},
          "mean of each latent channel; empty: 0");
    visit("latents_std", self.latents_std, Range{1e-6, 1e6},
          "standard deviation of each latent channel; empty: 1");
  }
  // Throws ConfigError: lists of the wrong length, channels that the shortcuts cannot divide.
  void Validate() const;

 private:
  static std::vector<double> DefaultMean();
  static std::vector<double> DefaultStd();
};

// Wan 2.1: 16 channels, 8 x 8 pixels and 4 frames a latent.
WanVaeOptions Wan21VaeOptions();

}  // namespace aim
