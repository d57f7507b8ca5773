// The autoencoder in tiles and within a budget of memory, and what it refuses.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "aim/base/error.h"
#include "aim/model/wan_vae.h"
#include "model/wan_vae_tiles.h"
#include "support/relative_error.h"
#include "support/small_wan_vae.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::Random;
using testing::RandomVideo;
using testing::RandomWeights;
using testing::RelativeError;

// ---- Tiles.

TEST(TilePlanTest, BlendedCropsOfAPictureAreThePicture) {
  const at::Tensor picture = Random({2, 3, 44, 60}, 12);
  for (const int tile_px : {16, 20, 24, 40, 100}) {
    for (const int overlap_px : {0, 4, 8}) {
      const TilePlan plan(11, 15, {.tile_px = tile_px, .overlap_px = overlap_px}, 4);
      const at::Tensor joined = plan.Blend(4, [&](const PictureTile& tile) {
        EXPECT_LE(tile.height * 4, tile_px);
        return picture.narrow(2, tile.top * 4, tile.height * 4)
            .narrow(3, tile.left * 4, tile.width * 4);
      });
      EXPECT_LE(RelativeError(joined, picture), 1e-6) << tile_px << " " << overlap_px;
    }
  }
}

// Two pictures that differ by a constant: the seam is a straight slope, not a step.
TEST(TilePlanTest, SeamIsALinearRamp) {
  const TilePlan plan(2, 6, {.tile_px = 16, .overlap_px = 8}, 4);
  const at::Tensor joined = plan.Blend(4, [&](const PictureTile& tile) {
    return at::full({tile.height * 4, tile.width * 4}, tile.left == 0 ? 0.0 : 1.0);
  });
  const at::Tensor steps = joined[0].diff();
  EXPECT_LE(steps.max().item<double>(), 1.0 / 8 + 1e-6);
  EXPECT_GE(steps.min().item<double>(), -1e-6);
}

TEST(WanVaeTest, TilesOfTheWholePictureChangeNothing) {
  const WanVaeOptions options = testing::SmallWanVae(false);
  const WeightMap weights = RandomWeights(options, 6);
  const at::Tensor latent = Random({1, 3, 2, 4, 5}, 13);
  const at::Tensor expected = WanVae(options, weights, "test").Decode(latent, ContentKind::kVideo);
  const WanVae tiled(options, weights, "test", {.tile_px = 40, .overlap_px = 16});
  EXPECT_TRUE(tiled.Decode(latent, ContentKind::kVideo).equal(expected));
  const WanVae small_tiles(options, weights, "test", {.tile_px = 24, .overlap_px = 8});
  const at::Tensor blended = small_tiles.Decode(latent, ContentKind::kVideo);
  EXPECT_EQ(blended.sizes(), expected.sizes());
  EXPECT_EQ(small_tiles.Encode(blended, ContentKind::kVideo).sizes(), latent.sizes());
}

// ---- Memory.

TEST(WanVaeMemoryTest, ReleasedModelAtTheReleasedSizeFitsIn12GiB) {
  const VideoExtent extent{.num_frames = 41, .height = 512, .width = 512};
  const int64_t bytes = WanVaeDecodeBytes({}, {}, extent, at::kFloat);
  EXPECT_LT(bytes, int64_t{12} << 30);
  EXPECT_GT(bytes, int64_t{4} << 30);
  // What the clip's length adds is the result alone.
  VideoExtent longer = extent;
  longer.num_frames = 81;
  EXPECT_EQ(WanVaeDecodeBytes({}, {}, longer, at::kFloat) - bytes, 40 * 512 * 512 * 3 * 4);
  EXPECT_GT(WanVaeDecodeBytes({}, {.form = VaeForm::kWhole}, extent, at::kFloat), 2 * bytes);
}

TEST(WanVaeMemoryTest, BudgetChoosesTheLargestTilesThatFit) {
  const VideoExtent extent{.num_frames = 41, .height = 704, .width = 1280};
  WanVaeRunOptions run;
  EXPECT_EQ(FitWanVaeRun({}, run, extent, at::kFloat).tile_px, 0);
  run.memory_gib = 100;
  EXPECT_EQ(FitWanVaeRun({}, run, extent, at::kFloat).tile_px, 0);
  run.memory_gib = 8;
  const WanVaeRunOptions fitted = FitWanVaeRun({}, run, extent, at::kFloat);
  const int64_t budget = int64_t{8} << 30;
  EXPECT_LE(WanVaeDecodeBytes({}, fitted, extent, at::kFloat), budget);
  WanVaeRunOptions larger = fitted;
  larger.tile_px += 16;
  EXPECT_GT(WanVaeDecodeBytes({}, larger, extent, at::kFloat), budget);
  run.memory_gib = 1;
  ExpectThrowsWith<ConfigError>([&] { FitWanVaeRun({}, run, extent, at::kFloat); },
                                {"vae.memory_gib is 1", "GiB", "at least", "GiB"});
}

// ---- Bad input.

TEST(WanVaeTest, BadTensors) {
  const WanVaeOptions options = testing::SmallWanVae(true);
  const WanVae vae(options, RandomWeights(options, 14), "test");
  const auto encode = [&](const at::Tensor& video) { vae.Encode(video, ContentKind::kVideo); };
  const auto decode = [&](const at::Tensor& latent) { vae.Decode(latent, ContentKind::kVideo); };
  ExpectThrowsWith<InputError>(
      [&] {
        encode(at::zeros({3, 5, 16, 16}));
      },
      {"video is [3, 5, 16, 16]; expected [B, 3, T, H, W]"});
  ExpectThrowsWith<InputError>(
      [&] {
        encode(at::zeros({1, 3, 6, 16, 16}));
      },
      {"video is 6 frames long", "multiple of 4, plus 1"});
  ExpectThrowsWith<InputError>([&] { encode(at::zeros({1, 3, 5, 24, 16})); }, {"multiples of 16"});
  ExpectThrowsWith<InputError>(
      [&] {
        encode(at::zeros({1, 3, 5, 16, 16}, at::kHalf));
      },
      {"video is float16; expected float32"});
  ExpectThrowsWith<InputError>(
      [&] {
        decode(at::zeros({1, 4, 1, 2, 2}));
      },
      {"latent is [1, 4, 1, 2, 2]; expected [B, 3, F, h, w]"});
  ExpectThrowsWith<InputError>(
      [&] {
        decode(at::zeros({1, 3, 0, 2, 2}));
      },
      {"at least one latent frame"});
}

TEST(WanVaeTest, BadWeights) {
  const WanVaeOptions options = testing::SmallWanVae(true);
  const WeightMap good = RandomWeights(options, 15);
  WeightMap bad = good;
  bad.erase("decoder.head.0.gamma");
  bad["decoder.conv1.bias"] = at::zeros({5});
  ExpectThrowsWith<InputError>([&] { WanVae(options, bad, "vae.pth"); },
                               {"vae.pth", "decoder.head.0.gamma", "decoder.conv1.bias"});
  bad = good;
  bad["decoder.conv1.bias"] = bad["decoder.conv1.bias"].to(at::kHalf);
  ExpectThrowsWith<InputError>([&] { WanVae(options, bad, "vae.pth"); },
                               {"vae.pth: decoder.conv1.bias", "another dtype"});
}

struct BadOptions {
  const char* name;
  void (*break_it)(WanVaeOptions&);
  std::vector<std::string> words;
};

TEST(WanVaeOptionsTest, BadOptions) {
  const BadOptions cases[] = {
      {"flags",
       [](WanVaeOptions& o) { o.temporal_downsample = {true}; },
       {"vae.temporal_downsample is a list of 1", "3 items"}},
      {"stages", [](WanVaeOptions& o) { o.dim_mult = {}; }, {"vae.dim_mult is a list of 0"}},
      {"mean", [](WanVaeOptions& o) { o.latents_mean = {1}; }, {"vae.latents_mean", "48 items"}},
      {"std", [](WanVaeOptions& o) { o.latents_std[3] = 0; }, {"vae.latents_std is 0"}},
      {"ratio",
       [](WanVaeOptions& o) {
         o.dim_mult = {1, 3, 4, 4};
       },
       {"vae.dim_mult", "whole ratio"}},
      {"one channel to halve",
       [](WanVaeOptions& o) {
         o.is_residual = false;
         o.decoder_base_dim = 1;
         o.dim_mult = {1, 1, 1, 1};
       },
       {"vae.decoder_base_dim is 1", "at least 2"}},
  };
  EXPECT_NO_THROW(WanVaeOptions().Validate());
  EXPECT_NO_THROW(Wan21VaeOptions().Validate());
  for (const BadOptions& bad : cases) {
    SCOPED_TRACE(bad.name);
    WanVaeOptions options;
    bad.break_it(options);
    ExpectThrowsWith<ConfigError>([&] { options.Validate(); }, bad.words);
  }
  WanVaeRunOptions run{.tile_px = 64, .overlap_px = 48};
  ExpectThrowsWith<ConfigError>([&] { run.Validate(); }, {"vae.overlap_px is 48", "half"});
}

}  // namespace
}  // namespace aim
