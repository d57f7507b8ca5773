// A bundle of the released architecture (Wan VAE, UMT5, pooled cameras, velocity) in the same
// pipeline as the small model: random weights, small sizes.
#include "support/wan_bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "aim/base/error.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/model/wan_vae.h"
#include "aim/policy/clip_generator.h"
#include "aim/policy/generation_memory.h"
#include "policy/tiny_bundle.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

constexpr int kFrames = testing::kWanFrames;
constexpr int kSize = testing::kWanSize;

class WanBundleTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing::TemporaryFolder;
    testing::WriteWanBundle(*folder_ / "bundle");
  }
  static void TearDownTestSuite() { delete folder_; }

  static ModelOptions Options() {
    ModelOptions options;
    options.model = (*folder_ / "bundle").string();
    options.steps = 3;
    return options;
  }

  static GeneratedClip Run(const ModelOptions& options, const std::string& mode) {
    const ClipGenerator generator(options, mode, "cpu");
    const Clip clip = testing::MakeSyntheticClip(kFrames, 4, kSize);
    return generator.Run({clip}, {.temporal_prior = false}, Rng(9))[0];
  }

  static double Difference(const GeneratedClip& a, const GeneratedClip& b) {
    double largest = 0;
    for (size_t view = 0; view < a.action_videos.size(); ++view) {
      const at::Tensor gap = (a.action_videos[view] - b.action_videos[view]).abs().max();
      largest = std::max(largest, gap.item<double>());
    }
    return largest;
  }

  static testing::TemporaryFolder* folder_;
};
testing::TemporaryFolder* WanBundleTest::folder_ = nullptr;

TEST_F(WanBundleTest, EveryTrainedModeRuns) {
  for (const std::string mode : {"i2va", "i2a", "v2a", "i2v"}) {
    const GeneratedClip clip = Run(Options(), mode);
    const bool makes_actions = mode != "i2v";
    const bool makes_video = mode == "i2v" || mode == "i2va";
    EXPECT_EQ(clip.action_videos.size(), makes_actions ? 2u : 0u) << mode;
    EXPECT_EQ(clip.videos.size(), makes_video ? 2u : 0u) << mode;
    EXPECT_EQ(clip.poses.size(), makes_actions ? kFrames : 0u) << mode;
    for (const at::Tensor& video : makes_actions ? clip.action_videos : clip.videos) {
      EXPECT_EQ(video.sizes(), at::IntArrayRef({3, kFrames, kSize, kSize})) << mode;
      EXPECT_TRUE(video.isfinite().all().item<bool>()) << mode;
    }
  }
}

TEST_F(WanBundleTest, AModeTheReleaseWasNotTrainedForIsRefused) {
  testing::ExpectThrowsWith<ConfigError>([] { Run(Options(), "a2v"); }, {"a2v", "i2va", "i2a"});
}

// What is kept out of memory, cached or computed in one batch changes nothing.
TEST_F(WanBundleTest, DoingLessWorkChangesNothing) {
  const GeneratedClip plain = Run(Options(), "i2a");
  ModelOptions offload = Options();
  offload.offload = true;
  EXPECT_LE(Difference(plain, Run(offload, "i2a")), 1e-6);
  ModelOptions cached = Options();
  cached.text_cache = (*folder_ / "text").string();
  EXPECT_LE(Difference(plain, Run(cached, "i2a")), 1e-6);
  EXPECT_LE(Difference(plain, Run(cached, "i2a")), 1e-6) << "the second time from the disk";
  ModelOptions batched = Options();
  batched.passes.guidance_mode = GuidanceMode::kBatched;
  EXPECT_LE(Difference(plain, Run(batched, "i2a")), 1e-5);
  batched.passes.guidance_mode = GuidanceMode::kSequential;
  EXPECT_LE(Difference(plain, Run(batched, "i2a")), 1e-5);
}

// Clip i of a batch starts from the noise of PyTorch's generator for seed + i.
TEST_F(WanBundleTest, TorchNoiseTakesTheSeedPlusTheClip) {
  ModelOptions options = Options();
  options.passes.noise = NoiseKind::kTorch;
  const ClipGenerator generator(options, "i2a", "cpu");
  const Clip clip = testing::MakeSyntheticClip(kFrames, 4, kSize);
  const ClipRequest request{.temporal_prior = false};
  const std::vector<GeneratedClip> both = generator.Run({clip, clip}, request, Rng(9));
  EXPECT_LE(Difference(both[0], generator.Run({clip}, request, Rng(9))[0]), 1e-4);
  EXPECT_LE(Difference(both[1], generator.Run({clip}, request, Rng(10))[0]), 1e-4);
  EXPECT_GT(Difference(both[0], both[1]), 1e-3);
}

// Offload leaves the network's weights alone in memory; what it reads again counts while it is
// used.
TEST_F(WanBundleTest, MemoryIsEstimatedByPart) {
  LoadOptions load;
  const Bundle bundle = LoadBundle(*folder_ / "bundle", load);
  const auto estimate = [&](const char* mode) {
    return EstimateGeneration(bundle, load, FindMode(mode));
  };
  const GenerationMemory kept = estimate("i2a"), longer = estimate("i2va");
  load.offload = true;
  const GenerationMemory offloaded = estimate("i2a");
  int64_t autoencoder = 0, text = 0;
  const BundleConfig& config = bundle.config;
  for (const auto& [name, shape] : WanVaeWeightShapes(config.autoencoder.wan_vae))
    autoencoder += 4 * c10::multiply_integers(shape);
  for (const auto& [name, shape] : Umt5WeightShapes(config.text.umt5))
    text += 4 * c10::multiply_integers(shape);
  EXPECT_EQ(offloaded.weights, NetworkBytes(bundle.dit));
  EXPECT_EQ(kept.weights, offloaded.weights + autoencoder + text);
  EXPECT_EQ(kept.decoding, offloaded.decoding - autoencoder);
  EXPECT_EQ(kept.pass, offloaded.pass);
  EXPECT_GT(longer.pass, kept.pass);
  EXPECT_EQ(kept.peak(), kept.weights + std::max(kept.pass, kept.decoding));
  EXPECT_THAT(GenerationMemoryText(kept), ::testing::HasSubstr("at its peak"));
  EXPECT_GT(PeakBytes(c10::kCPU), kept.weights);
}

TEST_F(WanBundleTest, ARangeOfGuidanceUpsideDownIsRefused) {
  ModelOptions options = Options();
  options.passes.guidance_sigma_min = 0.9;
  options.passes.guidance_sigma_max = 0.5;
  testing::ExpectThrowsWith<ConfigError>([&] { Run(options, "i2a"); },
                                         {"guidance_sigma_min is 0.9", "at most"});
}

TEST_F(WanBundleTest, ABudgetThatIsTooSmallIsRefusedBeforeWork) {
  ModelOptions options = Options();
  options.vae.memory_gib = 1e-6;
  testing::ExpectThrowsWith<ConfigError>([&] { Run(options, "i2a"); }, {"memory_gib"});
}

TEST_F(WanBundleTest, SettingsThatMatterChangeSomething) {
  const GeneratedClip plain = Run(Options(), "i2a");
  const auto changed = [&](auto&& change) {
    ModelOptions options = Options();
    change(options);
    return Difference(plain, Run(options, "i2a"));
  };
  EXPECT_GT(changed([](ModelOptions& o) { o.steps = 4; }), 1e-4);
  EXPECT_GT(changed([](ModelOptions& o) { o.guidance = 1; }), 1e-4);
  EXPECT_GT(changed([](ModelOptions& o) { o.passes.guidance_sigma_max = 0.9; }), 1e-4);
  EXPECT_GT(changed([](ModelOptions& o) { o.passes.noise = NoiseKind::kTorch; }), 1e-4);
  EXPECT_GT(changed([](ModelOptions& o) { o.sampler = SamplerChoice::kEuler; }), 1e-4);
  EXPECT_GT(changed([](ModelOptions& o) { o.dtype = ModelDtype::kBf16; }), 1e-4);
  EXPECT_GT(changed([](ModelOptions& o) {
              o.passes.cache = StepCacheKind::kFirstBlock;
              o.passes.cache_threshold = 10;
            }),
            1e-4);
}

}  // namespace
}  // namespace aim
