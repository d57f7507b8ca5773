#include "aim/model/wan_vae.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>

#include "aim/tensor/safetensors.h"
#include "model/wan_vae_network.h"
#include "model/wan_vae_shortcuts.h"
#include "support/relative_error.h"
#include "support/small_wan_vae.h"
#include "support/source_dir.h"

namespace aim {
namespace {

using testing::Random;
using testing::RandomVideo;
using testing::RandomWeights;
using testing::RelativeError;

// 64 channels and few stages: the convolutions of the large models.
WanVaeOptions Wide(bool residual) {
  WanVaeOptions options = testing::SmallWanVae(residual);
  options.base_dim = 32;
  options.decoder_base_dim = 32;
  options.dim_mult = {2, 2};
  options.temporal_downsample = {true};
  options.num_res_blocks = 1;
  return options;
}

// ---- Weights: docs/reference/wan22.md 3.1, 3.8, appendix A.

int64_t NumParameters(const ShapeMap& shapes) {
  int64_t total = 0;
  for (const auto& [name, shape] : shapes) total += c10::multiply_integers(shape);
  return total;
}

TEST(WanVaeWeightShapesTest, EqualTheReleasedTables) {
  const ShapeMap v22 = WanVaeWeightShapes({});
  EXPECT_EQ(v22.size(), 196u);
  EXPECT_EQ(NumParameters(v22), 704'688'668);
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(v22.at("encoder.downsamples.1.downsamples.2.time_conv.weight"),
            Shape({320, 320, 3, 1, 1}));
  EXPECT_EQ(v22.at("encoder.downsamples.2.downsamples.0.shortcut.weight"),
            Shape({640, 320, 1, 1, 1}));
  EXPECT_EQ(v22.at("encoder.middle.1.to_qkv.weight"), Shape({1920, 640, 1, 1}));
  EXPECT_EQ(v22.at("decoder.upsamples.0.upsamples.3.time_conv.weight"),
            Shape({2048, 1024, 3, 1, 1}));
  EXPECT_EQ(v22.at("decoder.upsamples.3.upsamples.1.residual.6.weight"),
            Shape({256, 256, 3, 3, 3}));
  EXPECT_EQ(v22.at("decoder.head.2.weight"), Shape({12, 256, 3, 3, 3}));

  const ShapeMap v21 = WanVaeWeightShapes(Wan21VaeOptions());
  EXPECT_EQ(v21.size(), 194u);
  EXPECT_EQ(NumParameters(v21), 126'892'531);
  EXPECT_EQ(v21.at("encoder.downsamples.8.time_conv.weight"), Shape({384, 384, 3, 1, 1}));
  EXPECT_EQ(v21.at("decoder.upsamples.4.shortcut.weight"), Shape({384, 192, 1, 1, 1}));
  EXPECT_EQ(v21.at("decoder.upsamples.11.resample.1.weight"), Shape({96, 192, 3, 3}));
}

// ---- Parity: scripts/make_vae_fixture.py.

class WanVaeParity : public ::testing::TestWithParam<const char*> {};

TEST_P(WanVaeParity, EqualsDiffusers) {
  const SafetensorsFile file =
      OpenSafetensors(testing::SourceDir().string() + "/tests/data/vae_fixture.safetensors");
  const std::string prefix = GetParam();
  WanVaeOptions options;
  ApplyOptions(options, nlohmann::json::parse(file.metadata.at(prefix)), "fixture");
  WeightMap weights;
  const std::string head = prefix + "/weights/";
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(head)) weights[name.substr(head.size())] = tensor.to(at::kFloat);
  }
  const WanVae vae(options, weights, "fixture");
  const auto input = [&](const char* name) {
    return file.tensors.at(prefix + "/" + name).to(at::kFloat);
  };
  EXPECT_LE(RelativeError(vae.Encode(input("video"), ContentKind::kVideo), input("latent")), 1e-5);
  EXPECT_LE(RelativeError(vae.Decode(input("code"), ContentKind::kAction), input("decoded")), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Versions, WanVaeParity, ::testing::Values("v22", "v21"));

// ---- Goldens: docs/reference/wan22.md appendix B.1, B.2.

WeightMap FormulaWeights(const WanVaeOptions& options) {
  WeightMap weights;
  double k = 0;
  for (const auto& [name, shape] : WanVaeWeightShapes(options)) {
    k += 1;
    const int64_t count = c10::multiply_integers(shape);
    at::Tensor values = (0.7 * k + 0.3 * at::arange(count, at::kDouble)).sin();
    if (name.ends_with("gamma")) {
      values = 1 + 0.1 * values;
    } else if (name.ends_with("bias")) {
      values = 0.1 * values;
    } else {
      values = values / std::sqrt(static_cast<double>(count / shape[0]));
    }
    weights[name] = values.to(at::kFloat).view(shape);
  }
  return weights;
}

at::Tensor FormulaInput(at::IntArrayRef shape, double phase) {
  const int64_t count = c10::multiply_integers(shape);
  return (0.05 * at::arange(count, at::kDouble) + phase).sin().to(at::kFloat).view(shape);
}

struct Golden {
  double sum;
  double abs_sum;
  std::vector<double> first;
  std::vector<double> middle;
  std::vector<double> last;
};

void ExpectGolden(const at::Tensor& value, const Golden& golden) {
  const at::Tensor flat = value.to(at::kDouble).flatten();
  const int64_t n = flat.numel();
  const double tolerance = 1e-5 * flat.abs().max().item<double>();
  EXPECT_NEAR(flat.abs().sum().item<double>(), golden.abs_sum, 1e-5 * golden.abs_sum);
  EXPECT_NEAR(flat.sum().item<double>(), golden.sum, 1e-5 * golden.abs_sum);
  const auto expect_from = [&](int64_t begin, const std::vector<double>& expected) {
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(flat[begin + static_cast<int64_t>(i)].item<double>(), expected[i], tolerance);
    }
  };
  expect_from(0, golden.first);
  expect_from(n / 2, golden.middle);
  expect_from(n - 3, golden.last);
}

// Without the clamp and without patches put together: what the network itself makes.
at::Tensor DecodeUnclamped(const WanVaeOptions& options, const at::Tensor& latent) {
  WeightMap weights = FormulaWeights(options);
  const at::Tensor frames =
      at::linear(latent.permute({0, 2, 3, 4, 1}).contiguous(),
                 weights.at("conv2.weight").flatten(1), weights.at("conv2.bias"));
  const WanVaeNetwork decoder(DecoderLayers(options), weights);
  WanVaeCache cache;
  std::vector<at::Tensor> pieces;
  for (int64_t frame = 0; frame < frames.size(1); ++frame) {
    pieces.push_back(decoder.Run(frames.narrow(1, frame, 1).contiguous(), cache));
  }
  const at::Tensor all = at::cat(pieces, 1).permute({0, 4, 1, 2, 3});  // [B, 3 p p, T, h, w]
  if (options.patch_size == 1) return all;
  at::Tensor video =
      at::empty({all.size(0), 3, all.size(2), 2 * all.size(3), 2 * all.size(4)}, at::kFloat);
  for (int64_t channel = 0; channel < 12; ++channel) {
    video.select(1, channel / 4)
        .slice(2, channel % 2, std::nullopt, 2)
        .slice(3, channel / 2 % 2, std::nullopt, 2)
        .copy_(all.select(1, channel));
  }
  return video;
}

TEST(WanVaeGolden, Version22) {
  WanVaeOptions options = testing::SmallWanVae(true);
  options.latents_mean = {};
  options.latents_std = {};
  const WanVae vae(options, FormulaWeights(options), "formula");
  ExpectGolden(vae.Encode(FormulaInput({1, 3, 9, 32, 48}, 1.0), ContentKind::kVideo),
               {.sum = 4.50137956,
                .abs_sum = 9.45492803,
                .first = {-0.1043495, -0.1530296, -0.1098374, -0.1001131},
                .middle = {0.1658847, 0.1332182, 0.07451806},
                .last = {0.3152202, 0.4066389, 0.3580841}});
  const at::Tensor latent = FormulaInput({1, 3, 3, 2, 3}, 2.0);
  const at::Tensor decoded = DecodeUnclamped(options, latent);
  ExpectGolden(decoded, {.sum = 1965.34087,
                         .abs_sum = 68612.3082,
                         .first = {-0.6380378, 0.4963378, -0.797433, 0.5847911},
                         .middle = {-1.571897, 1.507223, -2.016086},
                         .last = {-2.194587, 1.597297, -1.413223}});
  EXPECT_LE(RelativeError(vae.Decode(latent, ContentKind::kVideo), decoded.clamp(-1, 1)), 1e-5);
}

TEST(WanVaeGolden, Version21) {
  WanVaeOptions options = testing::SmallWanVae(false);
  options.decoder_base_dim = 4;
  options.latents_mean = {};
  options.latents_std = {};
  const WanVae vae(options, FormulaWeights(options), "formula");
  ExpectGolden(vae.Encode(FormulaInput({1, 3, 9, 16, 24}, 1.0), ContentKind::kVideo),
               {.sum = 5.89456313,
                .abs_sum = 9.48105664,
                .first = {-0.1057475, -0.1215837, -0.1183125, -0.1212279},
                .middle = {0.2785271, 0.2589059, 0.2167621},
                .last = {0.2571114, 0.3077438, 0.2640425}});
  const at::Tensor latent = FormulaInput({1, 3, 3, 2, 3}, 2.0);
  ExpectGolden(DecodeUnclamped(options, latent),
               {.sum = -13.7014416,
                .abs_sum = 5042.09119,
                .first = {-0.2648284, -0.4381221, -0.4881269, -0.5219721},
                .middle = {0.3505464, 0.8686786, 0.9833826},
                .last = {0.3594011, 0.4084016, 0.2208975}});
}

// ---- Properties.

class WanVaeForms : public ::testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  WanVaeOptions Options() const {
    const auto [wide, residual] = GetParam();
    return wide ? Wide(residual) : testing::SmallWanVae(residual);
  }
};

TEST_P(WanVaeForms, PiecesOfAnySizeEqualTheWhole) {
  const WanVaeOptions options = Options();
  const WeightMap weights = RandomWeights(options, 1);
  const int64_t side = options.spatial_factor();
  const WanVae whole(options, weights, "test", {.form = VaeForm::kWhole});
  const bool wide = std::get<0>(GetParam());
  const std::vector<int64_t> lengths =
      wide ? std::vector<int64_t>{1, 9} : std::vector<int64_t>{1, 5, 9, 13, 17};
  for (const int64_t num_frames : lengths) {
    const at::Tensor video = RandomVideo({1, 3, num_frames, 2 * side, 3 * side}, 7);
    const at::Tensor latent = whole.Encode(video, ContentKind::kVideo);
    const at::Tensor decoded = whole.Decode(latent, ContentKind::kVideo);
    ASSERT_EQ(decoded.sizes(), video.sizes());
    for (const int chunk : {1, 3}) {
      const WanVae pieces(options, weights, "test",
                          {.form = VaeForm::kChunked, .chunk_latents = chunk});
      EXPECT_LE(RelativeError(pieces.Encode(video, ContentKind::kVideo), latent), 1e-5)
          << num_frames << " frames by " << chunk;
      EXPECT_LE(RelativeError(pieces.Decode(latent, ContentKind::kVideo), decoded), 1e-5)
          << num_frames << " frames by " << chunk;
    }
  }
}

// Float64 runs the plain formulas, float32 the fast ones.
TEST_P(WanVaeForms, FastPathEqualsPlainReference) {
  const WanVaeOptions options = Options();
  const WeightMap weights = RandomWeights(options, 2);
  const int64_t side = options.spatial_factor();
  const WanVae fast(options, weights, "test");
  const WanVae plain(options, ConvertWeights(weights, at::kDouble), "test");
  const at::Tensor video = RandomVideo({1, 3, 5, 5 * side, 3 * side}, 8);
  const at::Tensor latent = plain.Encode(video, ContentKind::kVideo);
  EXPECT_LE(RelativeError(fast.Encode(video, ContentKind::kVideo), latent), 1e-5);
  EXPECT_LE(RelativeError(fast.Decode(latent, ContentKind::kVideo),
                          plain.Decode(latent, ContentKind::kVideo)),
            1e-5);
}

TEST_P(WanVaeForms, BatchItemsDoNotMix) {
  const WanVaeOptions options = Options();
  const int64_t side = options.spatial_factor();
  const WanVae vae(options, RandomWeights(options, 3), "test");
  const at::Tensor video = RandomVideo({2, 3, 5, 2 * side, side}, 9);
  const at::Tensor latent = vae.Encode(video, ContentKind::kVideo);
  const at::Tensor decoded = vae.Decode(latent, ContentKind::kVideo);
  const at::Tensor second = vae.Encode(video.narrow(0, 1, 1), ContentKind::kVideo);
  EXPECT_LE(RelativeError(latent.narrow(0, 1, 1), second), 1e-5);
  EXPECT_LE(RelativeError(decoded.narrow(0, 1, 1), vae.Decode(second, ContentKind::kVideo)), 1e-5);
}

// A single picture is the beginning of any clip that begins with it. docs/reference/wan22.md 3.5.
TEST_P(WanVaeForms, LaterFramesDoNotReachEarlierOnes) {
  const WanVaeOptions options = Options();
  const int64_t side = options.spatial_factor();
  const WanVae vae(options, RandomWeights(options, 4), "test");
  const at::Tensor video = RandomVideo({1, 3, 9, side, 2 * side}, 10);
  const at::Tensor latent = vae.Encode(video, ContentKind::kVideo);
  const at::Tensor picture = vae.Encode(video.narrow(2, 0, 1), ContentKind::kVideo);
  EXPECT_LE(RelativeError(latent.narrow(2, 0, 1), picture), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Sizes, WanVaeForms,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool()));

// bfloat16 computes; its norms do not overflow or vanish. The bound is that of
// docs/reference/wan22.md 6.2.
TEST(WanVaeTest, Bfloat16IsNear) {
  const WanVaeOptions options = testing::SmallWanVae(true);
  const WeightMap weights = RandomWeights(options, 5);
  const WanVae exact(options, weights, "test");
  const WanVae rounded(options, ConvertWeights(weights, at::kBFloat16), "test");
  const at::Tensor latent = Random({1, 3, 2, 2, 2}, 11);
  const at::Tensor difference =
      rounded.Decode(latent, ContentKind::kVideo) - exact.Decode(latent, ContentKind::kVideo);
  EXPECT_LT(difference.square().mean().sqrt().item<double>(), 0.05);
}

}  // namespace
}  // namespace aim
