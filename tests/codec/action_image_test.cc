// Goldens: scripts/make_method_goldens.py (numpy, float64),
// docs/reference/method.md section 9: G1, G2, G15.
#include "aim/codec/action_image.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>

#include "codec/rlbench_scene.h"
#include "support/matchers.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

constexpr double kPictureTolerance = 2e-5;

// The published rule, pixel by pixel in double.
std::vector<double> PlainPicture(const ToolPose& pose, const Camera& camera) {
  const double sigma_px = 0.05 * std::min(camera.width, camera.height);
  std::vector<double> picture;
  const auto anchors = AnchorPoints(pose);
  for (size_t channel = 0; channel < 3; ++channel) {
    const auto projection = Project(camera, anchors[channel]);
    for (int row = 0; row < camera.height; ++row) {
      for (int column = 0; column < camera.width; ++column) {
        double value = 0;
        if (projection) {
          const Eigen::Vector2d offset = Eigen::Vector2d(column, row) - projection->uv;
          value = std::exp(-offset.squaredNorm() / (2 * sigma_px * sigma_px));
        }
        if (channel == 2 && value <= 0.25) value = 0.25 * pose.gripper_open;
        picture.push_back(value);
      }
    }
  }
  return picture;
}

double LargestDifference(const Picture& picture, const std::vector<double>& expected) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(static_cast<double>(picture[i]) - expected[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

// Property: the fast path equals the plain rule, on any pose, size and aspect.
TEST(ActionImageTest, EqualsThePublishedRule) {
  Rng rng(3);
  for (const int size_px : {64, 128, 512}) {
    for (int draw = 0; draw < 12; ++draw) {
      Camera camera = draw % 2 == 0 ? FrontCamera(size_px) : OverheadCamera(size_px);
      if (draw % 3 == 0)
        camera = CropAndResize(camera, 0, 0, size_px, size_px, size_px, size_px / 2 + 3);
      ToolPose pose = AnyToolPose(rng);
      pose.gripper_open = rng.Uniform();
      EXPECT_LE(LargestDifference(Draw(pose, camera), PlainPicture(pose, camera)),
                kPictureTolerance)
          << "size " << size_px << " draw " << draw;
    }
  }
}

TEST(ActionImageTest, AnchorBehindTheCameraIsNotDrawn) {
  const Camera camera = FrontCamera(64);
  ToolPose pose = GoldenPose1();
  pose.world_from_tool.translation = {3.0, 0.0, 2.35};  // on the optical axis, behind the camera
  const Picture picture = Draw(pose, camera);
  for (size_t i = 0; i < picture.size(); ++i) {
    EXPECT_EQ(picture[i], i < 2 * 64 * 64 ? 0.0f : 0.25f) << "value " << i;
  }
}

TEST(ActionImageTest, VideoHoldsTheFramesPlaneByPlane) {
  const Camera camera = OverheadCamera(64);
  const std::vector<ToolPose> poses{GoldenPose1(), GoldenPose2(), GoldenPose1()};
  const size_t plane = 64 * 64;
  std::vector<float> video(3 * poses.size() * plane, -1.0f);
  DrawActionVideoInto(poses, {"overhead", {camera}}, {}, video);
  for (size_t frame = 0; frame < poses.size(); ++frame) {
    const Picture picture = Draw(poses[frame], camera);
    for (size_t channel = 0; channel < 3; ++channel) {
      for (size_t i = 0; i < plane; ++i) {
        ASSERT_EQ(video[(channel * poses.size() + frame) * plane + i],
                  picture[channel * plane + i]);
      }
    }
  }
}

struct AnchorGolden {
  std::string name;
  ToolPose pose;
  Camera camera;
  std::array<double, 6> uv;  // R x, y; G x, y; B x, y
};

// G1. The poses there are the rounded quaternions, normalised.
TEST(ActionImageTest, ProjectsTheGoldenAnchors) {
  const std::vector<AnchorGolden> goldens{
      {"P1 front 512",
       GoldenPose1(),
       FrontCamera(512),
       {285.9144, 277.8937, 283.6099, 265.5644, 286.4130, 218.5730}},
      {"P1 front 64",
       GoldenPose1(),
       FrontCamera(64),
       {35.7393, 34.7367, 35.4512, 33.1955, 35.8016, 27.3216}},
      {"P1 over 512",
       GoldenPose1(),
       OverheadCamera(512),
       {231.7706, 330.0048, 231.4445, 379.1908, 230.0138, 325.3538}},
      {"P2 front 512",
       GoldenPose2(),
       FrontCamera(512),
       {200.3191, 315.0740, 175.5345, 323.0403, 218.3160, 263.5458}},
      {"P2 over 512",
       GoldenPose2(),
       OverheadCamera(512),
       {302.2445, 367.1227, 317.6401, 323.4266, 288.8751, 365.8564}},
      {"P2 over 64",
       GoldenPose2(),
       OverheadCamera(64),
       {37.7806, 45.8903, 39.7050, 40.4283, 36.1094, 45.7320}},
  };
  for (const AnchorGolden& golden : goldens) {
    const auto anchors = AnchorPoints(golden.pose);
    for (size_t i = 0; i < 3; ++i) {
      const auto projection = Project(golden.camera, anchors[i]);
      ASSERT_TRUE(projection);
      const Eigen::Vector2d expected(golden.uv[2 * i], golden.uv[2 * i + 1]);
      EXPECT_THAT(projection->uv, PixelNear(expected, kFourDigits))
          << golden.name << " anchor " << i;
    }
  }
}

struct PixelGolden {
  std::string name;
  ToolPose pose;
  Camera camera;
  int row, column;
  std::array<double, 3> rgb;
};

// G2, single pixels; printed with five digits.
TEST(ActionImageTest, DrawsTheGoldenPixels) {
  const std::vector<PixelGolden> goldens{
      {"64", GoldenPose1(), FrontCamera(64), 0, 0, {0, 0, .25}},
      {"64", GoldenPose1(), FrontCamera(64), 32, 32, {.35049, .52132, .25}},
      {"64", GoldenPose1(), FrontCamera(64), 40, 30, {.05177, .02443, .25}},
      {"512", GoldenPose1(), FrontCamera(512), 256, 256, {.35049, .52132, .25}},
      {"512", GoldenPose1(), FrontCamera(512), 330, 240, {.02523, .00987, .25}},
      {"64", GoldenPose2(), OverheadCamera(64), 44, 31, {.08897, .01326, 0}},
      {"64", GoldenPose2(), OverheadCamera(64), 50, 34, {.21815, .00233, .33065}},
      {"64", GoldenPose2(), OverheadCamera(64), 63, 63, {0, 0, 0}},
      {"512", GoldenPose2(), OverheadCamera(512), 400, 256, {.08576, .00063, 0}},
  };
  for (const PixelGolden& golden : goldens) {
    const Picture picture = Draw(golden.pose, golden.camera);
    const size_t width = static_cast<size_t>(golden.camera.width), plane = width * width;
    for (size_t channel = 0; channel < 3; ++channel) {
      const size_t pixel =
          static_cast<size_t>(golden.row) * width + static_cast<size_t>(golden.column);
      EXPECT_NEAR(picture[channel * plane + pixel], golden.rgb[channel], 1e-5)
          << golden.name << " (" << golden.row << "," << golden.column << ") channel " << channel;
    }
  }
}

// G2, sums of the planes: every pixel of them.
TEST(ActionImageTest, DrawsTheGoldenSums) {
  const auto sums = [](const Picture& picture) {
    std::array<double, 3> result{};
    for (size_t i = 0; i < picture.size(); ++i)
      result[i / (picture.size() / 3)] += static_cast<double>(picture[i]);
    return result;
  };
  const std::array<double, 3> small = sums(Draw(GoldenPose1(), FrontCamera(64)));
  EXPECT_NEAR(small[0], 64.340, 1e-3);
  EXPECT_NEAR(small[1], 64.340, 1e-3);
  EXPECT_NEAR(small[2], 1049.943, 1e-3);
  const std::array<double, 3> large = sums(Draw(GoldenPose1(), FrontCamera(512)));
  EXPECT_NEAR(large[0], 4117.748, 2e-3);
  EXPECT_NEAR(large[1], 4117.748, 2e-3);
  EXPECT_NEAR(large[2], 67197.186, 2e-2);  // float32 pixels: 262144 of them
  EXPECT_NEAR(sums(Draw(GoldenPose2(), OverheadCamera(512)))[2], 3089.219, 2e-3);
  EXPECT_NEAR(sums(Draw(GoldenPose2(), OverheadCamera(64)))[2], 48.447, 1e-3);
}

// G15: the placeholder action projects far outside; nothing shows.
TEST(ActionImageTest, PlaceholderActionShowsNothing) {
  const ToolPose pose{{RotationFromEuler({100, 100, 100}), {100, 100, 100}}, 1.0};
  const auto projection = Project(FrontCamera(512), AnchorPoints(pose)[0], -1e9);
  ASSERT_TRUE(projection);
  EXPECT_THAT(projection->uv, PixelNear(Eigen::Vector2d(-280.91, 511.07), kTwoDigitsPx));
  const Picture picture = Draw(pose, FrontCamera(512));
  for (size_t i = 0; i < picture.size(); ++i) {
    ASSERT_EQ(picture[i], i < 2 * 512 * 512 ? 0.0f : 0.25f) << "value " << i;
  }
}

}  // namespace
}  // namespace aim
