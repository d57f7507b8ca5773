#include "aim/model/camera_conditioning.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/scene.h"
#include "support/throws.h"

namespace aim {
namespace {

constexpr int64_t kFrames = 9;
constexpr int kSize = 32;
const CameraGrid kGrid{kFrames, kSize, kSize};

// Keeps every 8th pixel of every 4th frame: latents that can be read as rays.
class Subsampling : public Autoencoder {
 public:
  at::Tensor Encode(const at::Tensor& video, ContentKind) const override {
    return video.slice(2, 0, std::nullopt, 4)
        .slice(3, 0, std::nullopt, 8)
        .slice(4, 0, std::nullopt, 8);
  }
  at::Tensor Decode(const at::Tensor& latent, ContentKind) const override { return latent; }
  int64_t channels() const override { return 3; }
  int64_t spatial_factor() const override { return 8; }
  int64_t temporal_factor() const override { return 4; }
};

std::vector<CameraTrack> Rig(int num_views) {
  Rng rng(5);
  std::vector<CameraTrack> tracks;
  for (const Camera& camera :
       testing::MakeCameraRig({.num_views = num_views, .size_px = kSize}, rng)) {
    tracks.push_back({"view", {camera}});
  }
  return tracks;
}

DitOptions Options(CameraMode mode) {
  DitOptions options;
  options.patch = 2;
  options.camera.mode = mode;
  return options;
}

// Origin: docs/reference/method.md section 9, G8. in[c, y, x] = c + 100 y + 10000 x, 96 x 32 x 32.
TEST(PoolCameraLatents, AveragesAsReleased) {
  const auto ramp = [](int64_t n) { return at::arange(n, at::kDouble); };
  const at::Tensor latents = ramp(96).view({96, 1, 1}) + 100 * ramp(32).view({1, 32, 1}) +
                             10000 * ramp(32).view({1, 1, 32});
  CameraConditioningOptions options;
  options.features = 12288;
  const at::Tensor pooled = PoolCameraLatents(options, latents.view({1, 1, 96, 32, 32}));
  ASSERT_EQ(pooled.sizes(), at::IntArrayRef({1, 1, 1, 12288}));
  const std::vector<std::pair<int64_t, double>> goldens = {
      {0, 5050.5},   {1, 25050.5},     {16, 5250.5},     {255, 308050.5},
      {256, 5052.5}, {6143, 308096.5}, {12287, 308144.5}};
  for (const auto& [index, value] : goldens) {
    EXPECT_NEAR(pooled.flatten()[index].item<double>(), value, 1e-6) << index;
  }
}

TEST(PoolCameraLatents, RefusesFeaturesThatDoNotFit) {
  CameraConditioningOptions options;
  options.features = 100;
  testing::ExpectThrowsWith<ConfigError>(
      [&] {
        PoolCameraLatents(options, at::zeros({1, 1, 4, 8, 8}));
      },
      {"features is 100"});
}

// The first camera sees its own centre ray along its own z axis.
TEST(CameraLatents, AreRelativeToTheFirstCamera) {
  const at::Tensor latents =
      CameraLatents(Options(CameraMode::kPooledLatent), Subsampling(), Rig(2), kGrid);
  ASSERT_EQ(latents.sizes(), at::IntArrayRef({2, 3, 6, kSize / 8, kSize / 8}));
  const at::Tensor first = latents[0];
  EXPECT_LT(first.slice(1, 3, 6).abs().max().item<double>(), 1e-6) << "moments about the origin";
  EXPECT_GT(first.select(1, 2).min().item<double>(), 0.5) << "all rays point forward";
  EXPECT_GT(latents[1].slice(1, 3, 6).abs().max().item<double>(), 1e-3);
}

// Turning the reference by half a revolution about z changes the sign of x and y of all vectors.
TEST(CameraLatents, AxesAndFrameChangeOnlyTheirNames) {
  DitOptions options = Options(CameraMode::kPooledLatent);
  const std::vector<CameraTrack> rig = Rig(2);
  const at::Tensor opencv = CameraLatents(options, Subsampling(), rig, kGrid);
  options.camera.axes = CameraAxes::kRlbench;
  const at::Tensor rlbench = CameraLatents(options, Subsampling(), rig, kGrid);
  const at::Tensor sign = at::tensor({-1.f, -1.f, 1.f, -1.f, -1.f, 1.f}).view({1, 1, 6, 1, 1});
  EXPECT_LT((opencv * sign - rlbench).abs().max().item<double>(), 1e-6);

  options.camera.frame = CameraFrame::kAbsolute;
  const at::Tensor absolute = CameraLatents(options, Subsampling(), rig, kGrid);
  EXPECT_GT((absolute - rlbench).abs().max().item<double>(), 0.1);
  const Eigen::Vector3d direction = RayThrough(rig[1].at(0), {0.5, 0.5}).direction;
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(absolute[1][0][i][0][0].item<double>(), direction[i], 1e-5);
  }
}

TEST(CameraLatents, AMovingCameraChangesOverTime) {
  std::vector<CameraTrack> rig = Rig(1);
  rig[0].frames.resize(kFrames, rig[0].frames[0]);
  const at::Tensor still =
      CameraLatents(Options(CameraMode::kPooledLatent), Subsampling(), rig, kGrid);
  EXPECT_TRUE(
      still.equal(CameraLatents(Options(CameraMode::kPooledLatent), Subsampling(), Rig(1), kGrid)));
  rig[0].frames[8].world_from_camera.translation.x() += 0.3;
  const at::Tensor moving =
      CameraLatents(Options(CameraMode::kPooledLatent), Subsampling(), rig, kGrid);
  EXPECT_TRUE(moving[0][1].equal(still[0][1]));
  EXPECT_FALSE(moving[0][2].equal(still[0][2]));
}

TEST(CameraVectors, HaveTheShapeOfTheirMode) {
  DitOptions options = Options(CameraMode::kNone);
  EXPECT_FALSE(CameraVectors(options, Subsampling(), Rig(2), kGrid).defined());
  options.camera.mode = CameraMode::kRayToken;
  EXPECT_EQ(CameraVectors(options, Subsampling(), Rig(2), kGrid).sizes(),
            at::IntArrayRef({2, 3, 4, 24}));
  options.camera.mode = CameraMode::kPooledLatent;
  options.camera.features = 3 * 16 * 16;
  EXPECT_EQ(CameraVectors(options, Subsampling(), Rig(2), kGrid).sizes(),
            at::IntArrayRef({2, 3, 1, 768}));
}

// One view without a camera: all of them zeros, in the shape of known ones.
TEST(CameraVectors, AreZerosWhereACameraIsNotKnown) {
  std::vector<CameraTrack> rig = Rig(2);
  for (const CameraMode mode : {CameraMode::kRayToken, CameraMode::kPooledLatent}) {
    DitOptions options = Options(mode);
    options.camera.features = 3 * 16 * 16;
    const at::Tensor known = CameraVectors(options, Subsampling(), Rig(2), kGrid);
    rig[1].frames.clear();
    const at::Tensor unknown = CameraVectors(options, Subsampling(), rig, kGrid);
    EXPECT_EQ(unknown.sizes(), known.sizes());
    EXPECT_EQ(unknown.scalar_type(), known.scalar_type());
    EXPECT_FALSE(unknown.any().item<bool>());
    EXPECT_TRUE(known.any().item<bool>());
  }
  EXPECT_FALSE(CameraVectors(Options(CameraMode::kNone), Subsampling(), rig, kGrid).defined());
}

// Counts what goes through it.
class Counting : public Subsampling {
 public:
  at::Tensor Encode(const at::Tensor& video, ContentKind kind) const override {
    ++calls;
    return Subsampling::Encode(video, kind);
  }
  mutable int calls = 0;
};

TEST(CameraCache, EncodesARigOnce) {
  DitOptions options = Options(CameraMode::kPooledLatent);
  options.camera.features = 3 * 16 * 16;
  const Counting code;
  CameraCache cache;
  const at::Tensor first = cache.Get(options, code, Rig(2), kGrid);
  EXPECT_EQ(code.calls, 4);
  EXPECT_TRUE(first.equal(CameraVectors(options, Subsampling(), Rig(2), kGrid)));
  EXPECT_TRUE(first.equal(cache.Get(options, code, Rig(2), kGrid)));
  EXPECT_EQ(code.calls, 4);
  std::vector<CameraTrack> other = Rig(2);
  other[1].frames[0].fx *= 1.01;
  EXPECT_FALSE(first.equal(cache.Get(options, code, other, kGrid)));
}

}  // namespace
}  // namespace aim
