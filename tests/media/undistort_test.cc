#include "aim/media/undistort.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aim/base/error.h"
#include "calibration/foreign_files.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/throws.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

struct LensCase {
  std::string name;
  Lens lens;
};

class LensTest : public ::testing::TestWithParam<LensCase> {};

// The reference is OpenCV's own projection; both kinds of its coordinates differ by half a pixel.
TEST_P(LensTest, ProjectsAsOpenCvDoes) {
  const Camera camera = MakeForeignRig({"a"}, {}).cameras[0];
  for (double u = 1; u < camera.width; u += 31) {
    for (double v = 1; v < camera.height; v += 29) {
      const Eigen::Vector2d direction((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy);
      const Eigen::Vector2d bent = Distort(GetParam().lens, direction);
      const Eigen::Vector2d uv(camera.fx * bent.x() + camera.cx, camera.fy * bent.y() + camera.cy);
      EXPECT_THAT(uv, PixelNear(CvProject(camera, GetParam().lens, PointAt(camera, {u, v})), 1e-6))
          << u << " " << v;
    }
  }
}

TEST_P(LensTest, UndistortedPicturesShowWhatAPinholeSees) {
  const Camera camera = MakeForeignRig({"a"}, {}).cameras[0];
  const Undistorter undistort(camera, GetParam().lens);
  const Image straight = undistort(DrawDots(camera, GetParam().lens).rgb);
  for (const Eigen::Vector2d& place : DotPlaces(camera)) {
    EXPECT_THAT(DotNear(straight, place), PixelNear(place, 0.1));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Lenses, LensTest,
    ::testing::Values(
        LensCase{"none", {}}, LensCase{"radial", RadialLens()},
        LensCase{"pincushion", {.coefficients = {0.12, -0.02}}},
        LensCase{"rational", {.coefficients = {0.1, -0.05, 0.001, 0.002, 0.01, 0.3, 0.02, -0.01}}},
        LensCase{"prism", {.coefficients = {-0.1, 0, 0, 0, 0, 0, 0, 0, 0.01, -0.02, 0.005, 0.003}}},
        LensCase{"equidistant", {.model = LensModel::kFisheye}},
        LensCase{"fisheye", FisheyeLens()}),
    CaseName());

TEST(UndistortTest, NoLensChangesNothing) {
  const Camera camera = MakeForeignRig({"a"}, {}).cameras[0];
  Image image = DrawDots(camera, {});
  image.rgb[0] = 200;  // the outermost row and column stay as well
  const Undistorter undistort(camera, {});
  EXPECT_EQ(undistort(image.rgb).rgb, image.rgb);
  EXPECT_EQ(undistort.blank_fraction(), 0);
}

// Where the formula folds back there is no picture, and no second image of its middle.
TEST(UndistortTest, BeyondTheFoldIsBlack) {
  const Lens lens{.coefficients = {-1.2}};
  const double fold = FoldRadius(lens);
  EXPECT_NEAR(fold, 1 / std::sqrt(3 * 1.2), 2e-3);
  const Camera camera = MakeForeignRig({"a"}, {}).cameras[0];
  Image white(camera.width, camera.height);
  std::fill(white.rgb.begin(), white.rgb.end(), uint8_t{255});
  const Undistorter undistort(camera, lens);
  const Image image = undistort(white.rgb);
  size_t num_black = 0;
  for (int row = 0; row < image.height; ++row) {
    for (int column = 0; column < image.width; ++column) {
      const double radius =
          std::hypot((column + 0.5 - camera.cx) / camera.fx, (row + 0.5 - camera.cy) / camera.fy);
      const uint8_t value = image.rgb[3 * static_cast<size_t>(row * image.width + column)];
      EXPECT_EQ(value, radius > fold ? 0 : 255) << row << " " << column;
      num_black += value == 0;
    }
  }
  EXPECT_NEAR(undistort.blank_fraction(),
              static_cast<double>(num_black) / (image.width * image.height), 1e-9);
  EXPECT_GT(num_black, 0u);
  EXPECT_EQ(FoldRadius(FisheyeLens()), std::numeric_limits<double>::infinity());
}

TEST(UndistortTest, LensesAreChecked) {
  const auto make = [](LensModel model, const std::vector<double>& numbers) {
    return MakeLens(model, numbers, "a.yaml: D");
  };
  EXPECT_FALSE(IsBent(make(LensModel::kRadialTangential, std::vector<double>(14))));
  EXPECT_FALSE(IsBent(make(LensModel::kRadialTangential, {})));
  EXPECT_TRUE(IsBent(make(LensModel::kFisheye, {0, 0, 0, 0}))) << "equidistant is no pinhole";
  ExpectThrowsWith<InputError>(
      [&] {
        make(LensModel::kRadialTangential, {0, 0, 0});
      },
      {"a.yaml: D", "3 coefficients"});
  ExpectThrowsWith<InputError>(
      [&] {
        make(LensModel::kFisheye, {0, 0, 0, 0, 0});
      },
      {"5 coefficients", "fisheye"});
  std::vector<double> tilted(14);
  tilted[13] = 0.1;
  ExpectThrowsWith<InputError>([&] { make(LensModel::kRadialTangential, tilted); },
                               {"D[13]", "tilted"});
  ExpectThrowsWith<InputError>(
      [&] {
        make(LensModel::kRadialTangential, {0, std::numeric_limits<double>::quiet_NaN(), 0, 0});
      },
      {"D[1]", "finite"});
}

}  // namespace
}  // namespace aim
