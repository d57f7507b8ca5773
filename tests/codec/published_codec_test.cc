// The baseline of bench/codec_bench is the published one. Goldens: scripts/make_method_goldens.py
// (numpy, float64), docs/reference/method.md section 9: G2 (sums) and G10.
#include "bench/published_codec.h"

#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "codec/rlbench_scene.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support
using namespace bench;    // NOLINT: the code under test

class PublishedCodecTest : public ::testing::Test {
 protected:
  // P1 seen by both cameras: [V, 512, 512, 3] in [0, 1].
  at::Tensor DrawPublished() const {
    at::Tensor centres = at::empty({2, 3, 2});
    const auto anchors = AnchorPoints(pose_);
    for (int64_t view = 0; view < 2; ++view) {
      for (int64_t i = 0; i < 3; ++i) {
        const Eigen::Vector2d uv =
            Project(cameras_[static_cast<size_t>(view)], anchors[static_cast<size_t>(i)])->uv;
        centres[view][i][0] = uv.x();
        centres[view][i][1] = uv.y();
      }
    }
    return PublishedRasterizer(centres, at::ones({2}), 512);
  }

  c10::InferenceMode inference_;
  ToolPose pose_ = GoldenPose1();
  std::vector<Camera> cameras_{FrontCamera(512), OverheadCamera(512)};
  std::vector<TensorCamera> tensors_{ToTensors(cameras_[0]), ToTensors(cameras_[1])};
};

TEST_F(PublishedCodecTest, RasterizerDrawsTheGoldenSumsAndOurPictures) {
  const at::Tensor pictures = DrawPublished();
  const std::array<double, 3> sums{4117.748, 4117.748, 67197.186};
  for (int64_t channel = 0; channel < 3; ++channel) {
    const double sum = pictures[0].select(2, channel).to(at::kDouble).sum().item<double>();
    EXPECT_NEAR(sum, sums[static_cast<size_t>(channel)], 2e-2) << "channel " << channel;
  }
  for (int64_t view = 0; view < 2; ++view) {
    Picture ours = Draw(pose_, cameras_[static_cast<size_t>(view)]);
    const at::Tensor picture = at::from_blob(ours.data(), {3, 512, 512}).permute({1, 2, 0});
    EXPECT_LE((picture - pictures[view]).abs().max().item<double>(), 2e-5) << "view " << view;
  }
}

struct PointGolden {
  std::string name;
  RayDepths depths;
  std::array<double, 3> error_mm;  // R, G, and B after 0.25 is taken off; 0: not compared
};

// Float32 here, float64 there; the points are rounded to 0.01 mm. B within 0.5 to 1 m is left out:
// all candidates miss the blob in the second view and score alike, so rounding picks one.
TEST_F(PublishedCodecTest, DecoderFindsTheGoldenPoints) {
  const std::vector<PointGolden> goldens{
      {"library defaults", {0.1, 5.0, 64}, {11.71, 8.27, 31.77}},
      {"command line", {0.5, 1.0, 512}, {185.07, 774.84, 0}},
      {"the table's range", {0.6, 1.8, 512}, {2.24, 1.54, 10.78}},
  };
  const at::Tensor maps = (DrawPublished() * 255).round() / 255;
  const auto anchors = AnchorPoints(pose_);
  for (const PointGolden& golden : goldens) {
    for (int64_t channel = 0; channel < 3; ++channel) {
      const double expected_mm = golden.error_mm[static_cast<size_t>(channel)];
      if (expected_mm == 0) continue;
      at::Tensor map = maps.select(3, channel);
      if (channel == 2) map = (map - 0.25).clamp(0, 1);
      const at::Tensor point = PublishedPoint(map, tensors_, golden.depths);
      const auto at = [&](int64_t i) { return point[i].item<double>(); };
      const double error_mm =
          1e3 *
          (Eigen::Vector3d(at(0), at(1), at(2)) - anchors[static_cast<size_t>(channel)]).norm();
      EXPECT_NEAR(error_mm, expected_mm, 0.02) << golden.name << " channel " << channel;
    }
  }
}

TEST_F(PublishedCodecTest, DecoderKeepsThePublishedDefects) {
  const at::Tensor bytes = (DrawPublished() * 255).round().to(at::kByte);
  const at::Tensor centroid = PublishedCentroids(bytes.select(3, 0).to(at::kFloat) / 255)[0];
  EXPECT_NEAR(centroid[0].item<double>(), 286.414, 2e-3);  // half a pixel too far
  EXPECT_NEAR(centroid[1].item<double>(), 278.392, 2e-3);
  EXPECT_EQ((bytes[0].select(2, 2) > 128).sum().item<int64_t>(), 2832);
  EXPECT_EQ(bytes[0].select(2, 2).median().item<int64_t>(), 64);
  const at::Tensor decoded = PublishedDecoder(bytes, tensors_, {0.6, 1.8, 512});
  EXPECT_NEAR(decoded[0].item<double>(), 0.3021, 1e-4);
  EXPECT_NEAR(decoded[1].item<double>(), 0.0508, 1e-4);
  EXPECT_NEAR(decoded[2].item<double>(), 1.0501, 1e-4);
  EXPECT_EQ(decoded[6].item<double>(), 1.0);  // "closed", though the gripper is open
}

}  // namespace
}  // namespace aim
