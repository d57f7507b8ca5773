#include "codec/peaks.h"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <limits>

#include "codec/blobs.h"
#include "codec/rlbench_scene.h"
#include "support/matchers.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

constexpr double kSigmaFraction = 0.05;  // as action images are drawn

// The options of R and G, whose background is black.
PeakOptions OnBlack(double sigma_px) { return {.sigma_px = sigma_px, .window_sigmas = 3.0}; }

std::vector<Peak> Find(const Channel& channel, const PeakOptions& options) {
  const SearchGrid grid = MakeSearchGrid(channel.plane(), options.sigma_px);
  return FindPeaks(channel.plane(), grid, options);
}

TEST(SearchGridTest, CellsAreMeansOverBlocks) {
  Channel ramp(50, 33);
  ramp.Change([](double, int column, int row) { return 0.01 * column + 0.02 * row; });
  for (const double sigma_px : {1.0, 3.2, 6.4, 12.8, 25.6}) {
    const SearchGrid grid = MakeSearchGrid(ramp.plane(), sigma_px);
    EXPECT_EQ(grid.step, std::max(1, static_cast<int>(std::lround(sigma_px / 3.2))));
    ASSERT_EQ(grid.cells.cols(), (50 + grid.step - 1) / grid.step);
    ASSERT_EQ(grid.cells.rows(), (33 + grid.step - 1) / grid.step);
    // Whole blocks: the mean of a ramp is its value in the middle.
    for (int row = 0; row < 33 / grid.step; ++row) {
      for (int column = 0; column < 50 / grid.step; ++column) {
        const double x = column * grid.step + 0.5 * (grid.step - 1);
        const double y = row * grid.step + 0.5 * (grid.step - 1);
        EXPECT_NEAR(grid.cells(row, column), 0.01 * x + 0.02 * y, 1e-6) << "step " << grid.step;
      }
    }
  }
}

class PeakPlaceTest : public ::testing::TestWithParam<int> {};

// A perfect Gaussian is found where it was drawn, wherever it lies between the pixels.
TEST_P(PeakPlaceTest, IsExactBetweenPixels) {
  const int size_px = GetParam();
  const double sigma_px = kSigmaFraction * size_px;
  Rng rng(3);
  for (int draw = 0; draw < 20; ++draw) {
    const Eigen::Vector2d uv(rng.Uniform(0.2, 0.8) * size_px, rng.Uniform(0.2, 0.8) * size_px);
    Channel channel(size_px, size_px);
    channel.Add({.uv = uv, .sigma_px = sigma_px});
    const std::vector<Peak> peaks = Find(channel, OnBlack(sigma_px));
    ASSERT_EQ(peaks.size(), 1u) << "draw " << draw;
    EXPECT_THAT(peaks[0].uv, PixelNear(uv, 1e-4 * sigma_px)) << "draw " << draw;
    EXPECT_NEAR(peaks[0].amplitude, 1.0, 1e-3);
    EXPECT_GT(peaks[0].information.determinant(), 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, PeakPlaceTest, ::testing::Values(48, 64, 128, 512));

TEST(PeaksTest, WideAndTallPicturesAreNoException) {
  for (const auto& [width, height] : {std::pair{200, 64}, std::pair{64, 200}}) {
    const Eigen::Vector2d uv(0.7 * width, 0.3 * height);
    Channel channel(width, height);
    channel.Add({.uv = uv, .sigma_px = 3.2});
    const std::vector<Peak> peaks = Find(channel, OnBlack(3.2));
    ASSERT_EQ(peaks.size(), 1u);
    EXPECT_THAT(peaks[0].uv, PixelNear(uv, 1e-3));
  }
}

// A dim blob is found at the same place and its height is told; below an eighth it is nothing.
TEST(PeaksTest, AmplitudeIsMeasured) {
  const Eigen::Vector2d uv(60.3, 71.8);
  for (const double amplitude : {0.2, 0.4, 0.7, 1.0}) {
    Channel channel(128, 128);
    channel.Add({.uv = uv, .sigma_px = 6.4, .amplitude = amplitude});
    const std::vector<Peak> peaks = Find(channel, OnBlack(6.4));
    ASSERT_EQ(peaks.size(), 1u) << amplitude;
    EXPECT_THAT(peaks[0].uv, PixelNear(uv, 0.01)) << amplitude;
    // The prior (amplitude 1) pulls by a hundredth of the distance.
    EXPECT_NEAR(peaks[0].amplitude, amplitude, 0.02);
  }
  Channel faint(128, 128);
  faint.Add({.uv = uv, .sigma_px = 6.4, .amplitude = 0.1});
  EXPECT_TRUE(Find(faint, OnBlack(6.4)).empty());
}

TEST(PeaksTest, NothingStandsOutOfNothing) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float value : {0.0f, kNan, kInfinity, -kInfinity}) {
    Channel channel(64, 64);
    std::fill(channel.pixels.begin(), channel.pixels.end(), value);
    EXPECT_TRUE(Find(channel, OnBlack(3.2)).empty()) << value;
  }
  // A level that is known as the background.
  PeakOptions grey = OnBlack(3.2);
  grey.background = grey.offset = 0.4;
  EXPECT_TRUE(Find(Channel(64, 64, 0.4), grey).empty());
  // Noise stands out of itself only by chance: two blobs in ten pictures.
  Rng rng(5);
  size_t num_found = 0;
  for (int draw = 0; draw < 10; ++draw) {
    Channel noise(64, 64);
    noise.AddNoise(0.3, rng);
    num_found += Find(noise, OnBlack(3.2)).size();
  }
  EXPECT_LE(num_found, 3u);
}

// One broken pixel far away spoils neither the search nor the fit.
TEST(PeaksTest, BrokenPixelsElsewhereAreHarmless) {
  Channel channel(128, 128);
  const Eigen::Vector2d uv(80.4, 90.6);
  channel.Add({.uv = uv, .sigma_px = 6.4});
  channel.pixels[5 * 128 + 7] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Peak> peaks = Find(channel, OnBlack(6.4));
  ASSERT_EQ(peaks.size(), 1u);
  EXPECT_THAT(peaks[0].uv, PixelNear(uv, 0.01));
}

// A grey veil over the channel, told as its background, moves nothing.
TEST(PeaksTest, BackgroundIsTakenAway) {
  const Eigen::Vector2d uv(31.7, 40.2);
  Channel channel(64, 64, 0.15);
  channel.Add({.uv = uv, .sigma_px = 3.2});
  PeakOptions options = OnBlack(3.2);
  options.background = options.offset = 0.15;
  const std::vector<Peak> peaks = Find(channel, options);
  ASSERT_EQ(peaks.size(), 1u);
  EXPECT_THAT(peaks[0].uv, PixelNear(uv, 1e-3));
  EXPECT_NEAR(peaks[0].amplitude, 1.0, 2e-3);
}

// B: inside its disc there is the Gaussian alone, outside the pedestal. A fit that stays within the
// disc does not see whether the gripper is open.
TEST(PeaksTest, PedestalDoesNotMoveTheBlobOfB) {
  const double sigma_px = 6.4, pedestal = 0.25;
  const Eigen::Vector2d uv(50.6, 77.1);
  for (const double background : {0.0, 0.1, 0.24}) {
    Channel channel(128, 128);
    channel.AddDisc({.uv = uv, .sigma_px = sigma_px}, pedestal, background);
    PeakOptions options = OnBlack(sigma_px);
    options.background = background;
    options.window_sigmas = 0.97 * std::sqrt(-2.0 * std::log(pedestal));
    const std::vector<Peak> peaks = Find(channel, options);
    ASSERT_EQ(peaks.size(), 1u) << background;
    EXPECT_THAT(peaks[0].uv, PixelNear(uv, 1e-3)) << background;
    EXPECT_NEAR(peaks[0].amplitude, 1.0, 2e-3) << background;
  }
}

// A peak that clips at 1 is flat on top and symmetric: its place is not lost.
TEST(PeaksTest, ClippedPeakKeepsItsPlace) {
  const Eigen::Vector2d uv(61.3, 70.9);
  for (const double gain : {1.2, 1.6, 2.5}) {
    Channel channel(128, 128);
    channel.Add({.uv = uv, .sigma_px = 6.4, .amplitude = gain});
    channel.ClipTo(1.0);
    const std::vector<Peak> peaks = Find(channel, OnBlack(6.4));
    ASSERT_FALSE(peaks.empty()) << gain;
    EXPECT_THAT(peaks[0].uv, PixelNear(uv, 0.02)) << gain;
    EXPECT_GE(peaks[0].amplitude, 1.0) << gain;
  }
}

// A stretched blob keeps its centre, and the misfit makes it less certain.
TEST(PeaksTest, StretchedBlobKeepsItsPlaceAndIsLessCertain) {
  const Eigen::Vector2d uv(61.3, 70.9);
  double round = 0;
  for (const double stretch : {1.0, 1.25, 1.5}) {
    Channel channel(128, 128);
    channel.Add({.uv = uv, .sigma_px = 6.4, .stretch = stretch, .turn_rad = 0.6});
    const std::vector<Peak> peaks = Find(channel, OnBlack(6.4));
    ASSERT_FALSE(peaks.empty()) << stretch;
    EXPECT_THAT(peaks[0].uv, PixelNear(uv, 0.02)) << stretch;
    const double certainty = peaks[0].information.trace();
    if (stretch == 1.0) round = certainty;
    const double most = stretch == 1.0 ? round : 0.01 * round;
    EXPECT_LE(certainty, most) << stretch;
  }
}

TEST(PeaksTest, TwoBlobsComeBestFirstUpToTheLimit) {
  const Eigen::Vector2d strong(40.2, 60.4), weak(90.7, 70.1), faint(64.0, 20.0);
  Channel channel(128, 128);
  channel.Add({.uv = weak, .sigma_px = 6.4, .amplitude = 0.6});
  channel.Add({.uv = strong, .sigma_px = 6.4, .amplitude = 0.9});
  channel.Add({.uv = faint, .sigma_px = 6.4, .amplitude = 0.3});
  PeakOptions options = OnBlack(6.4);
  std::vector<Peak> peaks = Find(channel, options);
  ASSERT_EQ(peaks.size(), 2u);  // the third is less than 0.4 of the best: no rival
  EXPECT_THAT(peaks[0].uv, PixelNear(strong, 0.02));
  EXPECT_THAT(peaks[1].uv, PixelNear(weak, 0.02));
  options.max_peaks = 1;
  peaks = Find(channel, options);
  ASSERT_EQ(peaks.size(), 1u);
  EXPECT_THAT(peaks[0].uv, PixelNear(strong, 0.02));
}

// Blended over two positions: near enough they are one blob between them, nearer the stronger one;
// apart they are two, each drawn towards the other by less than a third of its width.
TEST(PeaksTest, OverlappingBlobsAreOneOrTwo) {
  const double sigma_px = 6.4;
  const Eigen::Vector2d strong(55.3, 60.8), direction(0.8, 0.6);
  for (const double apart_sigmas : {0.5, 1.0, 4.0, 5.0}) {
    const Eigen::Vector2d weak = strong + apart_sigmas * sigma_px * direction;
    Channel channel(128, 128);
    channel.Add({.uv = strong, .sigma_px = sigma_px, .amplitude = 0.6});
    channel.Add({.uv = weak, .sigma_px = sigma_px, .amplitude = 0.4});
    const std::vector<Peak> peaks = Find(channel, OnBlack(sigma_px));
    ASSERT_FALSE(peaks.empty()) << apart_sigmas;
    if (apart_sigmas <= 1.0) {
      EXPECT_EQ(peaks.size(), 1u) << apart_sigmas;
      const Eigen::Vector2d mean = strong + 0.4 * apart_sigmas * sigma_px * direction;
      EXPECT_THAT(peaks[0].uv, PixelNear(mean, 0.1 * sigma_px)) << apart_sigmas;
    } else {
      ASSERT_EQ(peaks.size(), 2u) << apart_sigmas;
      EXPECT_THAT(peaks[0].uv, PixelNear(strong, 0.3 * sigma_px)) << apart_sigmas;
      EXPECT_THAT(peaks[1].uv, PixelNear(weak, 0.3 * sigma_px)) << apart_sigmas;
    }
  }
}

// A blob cut by the border is found, even with its centre a little outside; farther out it is not.
TEST(PeaksTest, BorderMayCutTheBlob) {
  const double sigma_px = 6.4;
  for (const double inside_sigmas : {1.0, 0.3, 0.0, -0.5, -0.8}) {
    const Eigen::Vector2d uv(inside_sigmas * sigma_px, 60.4);
    Channel channel(128, 128);
    channel.Add({.uv = uv, .sigma_px = sigma_px});
    const std::vector<Peak> peaks = Find(channel, OnBlack(sigma_px));
    ASSERT_EQ(peaks.size(), 1u) << inside_sigmas;
    EXPECT_THAT(peaks[0].uv, PixelNear(uv, 0.01 * sigma_px)) << inside_sigmas;
  }
  Channel outside(128, 128);
  outside.Add({.uv = {-1.5 * sigma_px, 60.4}, .sigma_px = sigma_px});
  EXPECT_TRUE(Find(outside, OnBlack(sigma_px)).empty());
}

// Across the border that cuts it, a blob is known less well than along it.
TEST(PeaksTest, CutBlobIsLessCertainAcrossTheBorder) {
  Rng rng(7);
  Channel channel(128, 128);
  channel.Add({.uv = {-3.0, 60.4}, .sigma_px = 6.4});
  channel.AddNoise(0.03, rng);
  const std::vector<Peak> peaks = Find(channel, OnBlack(6.4));
  ASSERT_EQ(peaks.size(), 1u);
  const Eigen::Matrix2d covariance = peaks[0].information.inverse();
  EXPECT_GE(covariance(0, 0), 3.0 * covariance(1, 1));
}

// The covariance that a peak claims is the scatter of its place in smooth noise, which a network
// leaves: its error in standard deviations, squared, is 2 in the mean. (In fine noise, which the
// fit averages away, it claims a fortieth of what is known.)
TEST(PeaksTest, InformationIsThatOfSmoothNoise) {
  Rng rng(11);
  const SmoothNoise noise(128, 2.0, 0.05, rng);
  double squares = 0;
  constexpr int kDraws = 150;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Eigen::Vector2d uv(rng.Uniform(40, 88), rng.Uniform(40, 88));
    Channel channel(128, 128);
    channel.Add({.uv = uv, .sigma_px = 6.4});
    noise.AddTo(channel.pixels, rng);
    const std::vector<Peak> peaks = Find(channel, OnBlack(6.4));
    ASSERT_FALSE(peaks.empty()) << "draw " << draw;
    const Eigen::Vector2d error = peaks[0].uv - uv;
    squares += error.dot(peaks[0].information * error);
  }
  RecordProperty("squares", std::to_string(squares / kDraws));
  EXPECT_GE(squares / kDraws, 0.6);  // 1.0 was measured: it claims a little less than it knows
  EXPECT_LE(squares / kDraws, 2.5);
}

// Bytes of an interleaved picture are read in place, by their strides and scale.
TEST(PeaksTest, ReadsOneChannelOfInterleavedBytes) {
  const Eigen::Vector2d uv(60.4, 71.7);
  Channel channel(128, 100);
  channel.Add({.uv = uv, .sigma_px = 5.0});
  std::vector<uint8_t> bytes(3 * channel.pixels.size(), 255);
  for (size_t i = 0; i < channel.pixels.size(); ++i) {
    bytes[3 * i + 1] = static_cast<uint8_t>(std::lround(255.0f * channel.pixels[i]));
  }
  const Plane<uint8_t> plane{bytes.data() + 1, 3 * 128, 3, 128, 100, 1.0f / 255.0f};
  EXPECT_NEAR(plane.at(72, 60), channel.plane().at(72, 60), 0.5 / 255 + 1e-6);
  const std::vector<Peak> peaks = FindPeaks(plane, MakeSearchGrid(plane, 5.0), OnBlack(5.0));
  ASSERT_EQ(peaks.size(), 1u);
  EXPECT_THAT(peaks[0].uv, PixelNear(uv, 0.02));
}

}  // namespace
}  // namespace aim
