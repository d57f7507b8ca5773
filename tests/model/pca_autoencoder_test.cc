#include "aim/model/pca_autoencoder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "aim/base/error.h"

namespace aim {
namespace {

using ::testing::HasSubstr;

constexpr PcaOptions kSmall = {.channels = 6, .block_px = 2};

at::Tensor UniformVideo(at::IntArrayRef shape, uint64_t seed) {
  return at::rand(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat) * 2 - 1;
}

// Every block, of one frame and of four, lies in one space of `rank` dimensions: each pixel of a
// block position is a fixed mix of `rank` random numbers of the block, constant over 4 frames.
at::Tensor LowRankVideo(int64_t rank, int64_t num_frames, uint64_t seed) {
  const auto mix = UniformVideo({3 * 2 * 2, rank}, 99);
  const int64_t latent_frames = LatentFrames(num_frames, 4);
  const auto factors = UniformVideo({2, latent_frames, 4, 5, rank}, seed);
  const at::Tensor blocks = 0.2 * at::matmul(factors, mix.t()) + 0.1;  // [B, F, h, w, 12]
  const at::Tensor frames = blocks.reshape({2, latent_frames, 4, 5, 3, 2, 2})
                                .permute({0, 4, 1, 2, 5, 3, 6})
                                .reshape({2, 3, latent_frames, 8, 10});
  return at::cat(
      {frames.narrow(2, 0, 1), frames.narrow(2, 1, latent_frames - 1).repeat_interleave(4, 2)}, 2);
}

PcaAutoencoder Fitted(const PcaOptions& options, int64_t rank = 6) {
  PcaFitter fitter(options);
  for (uint64_t clip = 0; clip < 8; ++clip) {
    fitter.AddClip(LowRankVideo(rank, 9, clip), ContentKind::kVideo);
    fitter.AddClip(LowRankVideo(rank, 9, 100 + clip), ContentKind::kAction);
  }
  return fitter.Solve();
}

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(PcaAutoencoderTest, ShapesFollowTheInterface) {
  const PcaAutoencoder autoencoder = Fitted(kSmall);
  for (const int64_t num_frames : {1, 5, 9}) {
    const at::Tensor video = LowRankVideo(6, num_frames, 3);
    const at::Tensor latent = autoencoder.Encode(video, ContentKind::kVideo);
    EXPECT_EQ(latent.sizes(), at::IntArrayRef({2, 6, LatentFrames(num_frames, 4), 4, 5}));
    EXPECT_TRUE(latent.is_contiguous());
    EXPECT_EQ(autoencoder.Decode(latent, ContentKind::kVideo).sizes(), video.sizes());
  }
}

TEST(PcaAutoencoderTest, LowRankClipsAreKeptExactly) {
  const PcaAutoencoder autoencoder = Fitted(kSmall);
  const at::Tensor unseen = LowRankVideo(6, 9, 1234);
  for (const ContentKind kind : {ContentKind::kVideo, ContentKind::kAction}) {
    EXPECT_LT(MaxDifference(autoencoder.Decode(autoencoder.Encode(unseen, kind), kind), unseen),
              1e-5);
  }
}

// With as many channels as a first-frame block has numbers, that frame is exact for any picture.
TEST(PcaAutoencoderTest, FullBasisIsExact) {
  const PcaOptions options = {.channels = 12, .block_px = 2};
  PcaFitter fitter(options);
  fitter.AddClip(UniformVideo({4, 3, 9, 16, 16}, 1), ContentKind::kVideo);
  fitter.AddClip(UniformVideo({4, 3, 9, 16, 16}, 2), ContentKind::kAction);
  const PcaAutoencoder autoencoder = fitter.Solve();
  const at::Tensor image = UniformVideo({2, 3, 1, 6, 8}, 3);
  const at::Tensor latent = autoencoder.Encode(image, ContentKind::kAction);
  EXPECT_LT(MaxDifference(autoencoder.Decode(latent, ContentKind::kAction), image), 1e-5);
}

TEST(PcaAutoencoderTest, DecodeInvertsEncodeOnLatents) {
  const PcaAutoencoder autoencoder = Fitted(kSmall);
  const at::Tensor latent = UniformVideo({2, 6, 3, 4, 5}, 7);
  for (const ContentKind kind : {ContentKind::kVideo, ContentKind::kAction}) {
    EXPECT_LT(MaxDifference(autoencoder.Encode(autoencoder.Decode(latent, kind), kind), latent),
              1e-4);
  }
}

// The plain reading of the formula, one block at a time.
TEST(PcaAutoencoderTest, EncodeIsTheFormula) {
  const PcaAutoencoder autoencoder = Fitted(kSmall);
  const at::Tensor video = UniformVideo({1, 3, 5, 4, 6}, 11);
  const at::Tensor latent = autoencoder.Encode(video, ContentKind::kAction);
  const WeightMap& weights = autoencoder.weights();
  const auto expect = [&](const std::string& code, int64_t frame, int64_t frames, int64_t f) {
    for (int64_t row = 0; row < 2; ++row) {
      for (int64_t column = 0; column < 3; ++column) {
        const at::Tensor block =
            video[0].narrow(1, frame, frames).narrow(2, 2 * row, 2).narrow(3, 2 * column, 2);
        const at::Tensor centred = block.flatten() - weights.at(code + ".mean");
        const at::Tensor expected =
            at::mv(weights.at(code + ".basis"), centred) / weights.at(code + ".scale");
        EXPECT_LT(MaxDifference(latent[0].select(1, f).select(1, row).select(1, column), expected),
                  1e-4);
      }
    }
  };
  expect("action.first", 0, 1, 0);
  expect("action.rest", 1, 4, 1);
}

// The first latent does not depend on later frames.
TEST(PcaAutoencoderTest, FirstFrameStandsAlone) {
  const PcaAutoencoder autoencoder = Fitted(kSmall);
  const at::Tensor video = LowRankVideo(6, 9, 21);
  const at::Tensor clip = autoencoder.Encode(video, ContentKind::kVideo);
  const at::Tensor image = autoencoder.Encode(video.narrow(2, 0, 1), ContentKind::kVideo);
  EXPECT_LT(MaxDifference(clip.narrow(2, 0, 1), image), 1e-6);
}

TEST(PcaFitterTest, ComponentsAreOrthonormalOrderedAndSigned) {
  const WeightMap weights = Fitted(kSmall, 12).weights();
  for (const char* code : {"video.first", "video.rest", "action.first", "action.rest"}) {
    const at::Tensor& basis = weights.at(std::string(code) + ".basis");
    EXPECT_LT(MaxDifference(at::matmul(basis, basis.t()), at::eye(6)), 1e-5) << code;
    const at::Tensor scale = weights.at(std::string(code) + ".scale");
    EXPECT_TRUE((scale.slice(0, 1) <= scale.slice(0, 0, -1)).all().item<bool>()) << code;
    const at::Tensor largest = basis.gather(1, basis.abs().argmax(1, true));
    EXPECT_TRUE((largest > 0).all().item<bool>()) << code;
  }
}

// Unit RMS over the fitted clips; deviations stay ordered but only by their square root.
TEST(PcaFitterTest, LatentsArePartlyWhiteWithUnitRms) {
  PcaFitter fitter(kSmall);
  std::vector<at::Tensor> clips;
  const at::Tensor gain = at::tensor({1.0f, 0.3f, 0.05f}).reshape({1, 3, 1, 1, 1});
  for (uint64_t clip = 0; clip < 4; ++clip) {
    clips.push_back(UniformVideo({2, 3, 9, 8, 8}, clip) * gain);
    fitter.AddClip(clips.back(), ContentKind::kVideo);
    fitter.AddClip(clips.back(), ContentKind::kAction);
  }
  const PcaAutoencoder autoencoder = fitter.Solve();
  const at::Tensor latent = autoencoder.Encode(at::cat(clips, 0), ContentKind::kVideo);
  for (const at::Tensor& part : {latent.narrow(2, 0, 1), latent.narrow(2, 1, 2)}) {
    EXPECT_NEAR(part.square().mean().sqrt().item<double>(), 1.0, 1e-3);
  }
  // std_k / sqrt(std_k): the latent's deviation squared is in proportion to the block's deviation.
  const at::Tensor first = latent.narrow(2, 0, 1).transpose(0, 1).flatten(1);
  const at::Tensor latent_std = first.std(1, false);
  const at::Tensor block_std = latent_std * autoencoder.weights().at("video.first.scale");
  const at::Tensor ratio = latent_std.square() / block_std;
  EXPECT_LT((ratio.max() / ratio.min()).item<double>(), 1.01);
}

TEST(PcaFitterTest, OrderOfClipsAndBatchesHardlyMatters) {
  const at::Tensor both = UniformVideo({2, 3, 9, 8, 8}, 5);
  PcaFitter together(kSmall);
  PcaFitter apart(kSmall);
  for (const ContentKind kind : {ContentKind::kVideo, ContentKind::kAction}) {
    together.AddClip(both, kind);
    apart.AddClip(both.narrow(0, 1, 1), kind);
    apart.AddClip(both.narrow(0, 0, 1), kind);
  }
  const WeightMap a = together.Solve().weights();
  const WeightMap b = apart.Solve().weights();
  for (const auto& [name, weight] : a) EXPECT_LT(MaxDifference(weight, b.at(name)), 1e-5) << name;
}

// Clips that never change have no deviation; nothing may become infinite.
TEST(PcaFitterTest, ConstantClips) {
  PcaFitter fitter(kSmall);
  const at::Tensor grey = at::full({2, 3, 9, 8, 8}, 0.25f);
  fitter.AddClip(grey, ContentKind::kVideo);
  fitter.AddClip(grey, ContentKind::kAction);
  const PcaAutoencoder autoencoder = fitter.Solve();
  const at::Tensor latent = autoencoder.Encode(grey, ContentKind::kVideo);
  EXPECT_TRUE(latent.isfinite().all().item<bool>());
  EXPECT_LT(MaxDifference(autoencoder.Decode(latent, ContentKind::kVideo), grey), 1e-6);
}

struct BadTensor {
  const char* name;
  at::Tensor tensor;
  const char* words;
};

template <class Call>
std::string Message(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(PcaAutoencoderTest, BadInput) {
  const PcaAutoencoder autoencoder = Fitted(kSmall);
  const BadTensor bad_videos[] = {
      {"no batch", at::zeros({3, 5, 8, 8}), "video is [3, 5, 8, 8]; expected [B, 3, T, H, W]"},
      {"four colours", at::zeros({1, 4, 5, 8, 8}), "expected [B, 3, T, H, W]"},
      {"frames", at::zeros({1, 3, 4, 8, 8}), "video is 4 frames long"},
      {"no frames", at::zeros({1, 3, 0, 8, 8}), "video is 0 frames long"},
      {"odd height", at::zeros({1, 3, 5, 7, 8}), "multiples of 2"},
      {"no pixels", at::zeros({1, 3, 5, 0, 8}), "[1, 3, 5, 0, 8]"},
      {"half", at::zeros({1, 3, 5, 8, 8}, at::kHalf), "video is float16; expected float32"},
  };
  for (const BadTensor& bad : bad_videos) {
    EXPECT_THAT(Message([&] { autoencoder.Encode(bad.tensor, ContentKind::kVideo); }),
                HasSubstr(bad.words))
        << bad.name;
  }
  const BadTensor bad_latents[] = {
      {"channels", at::zeros({1, 5, 2, 4, 4}), "latent is [1, 5, 2, 4, 4]; expected [B, 6, F"},
      {"no frames", at::zeros({1, 6, 0, 4, 4}), "at least one latent frame"},
      {"double", at::zeros({1, 6, 2, 4, 4}, at::kDouble), "latent is float64"},
  };
  for (const BadTensor& bad : bad_latents) {
    EXPECT_THAT(Message([&] { autoencoder.Decode(bad.tensor, ContentKind::kVideo); }),
                HasSubstr(bad.words))
        << bad.name;
  }
}

TEST(PcaAutoencoderTest, BadWeights) {
  const WeightMap good = Fitted(kSmall).weights();
  const auto message = [&](const WeightMap& weights) {
    return Message([&] { PcaAutoencoder(kSmall, weights, "autoencoder.safetensors"); });
  };
  EXPECT_EQ(message(good), "");
  WeightMap missing = good;
  missing.erase("video.rest.mean");
  EXPECT_THAT(message(missing), HasSubstr("autoencoder.safetensors is missing 1 (video.rest.mean"));
  WeightMap nan = good;
  nan["video.rest.mean"] = at::full({48}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(message(nan), HasSubstr("NaN or Inf in video.rest.mean"));
  WeightMap zero = good;
  zero["action.first.scale"] = at::zeros({6});
  EXPECT_THAT(message(zero), HasSubstr("action.first.scale is not positive"));
}

TEST(PcaFitterTest, TooFewBlocksAndTooManyChannels) {
  PcaFitter fitter(kSmall);
  fitter.AddClip(at::zeros({1, 3, 5, 8, 8}), ContentKind::kVideo);
  EXPECT_THAT(Message([&] { fitter.Solve(); }),
              HasSubstr("code action.first is fitted to 0 blocks; expected at least 6"));
  EXPECT_THAT(Message([&] { PcaFitter({.channels = 13, .block_px = 2}); }),
              HasSubstr("pca.channels is 13; expected at most 3 * block_px^2 = 12"));
}

}  // namespace
}  // namespace aim
