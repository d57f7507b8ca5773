#include "codec/disc_edge.h"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <limits>

#include "codec/blobs.h"
#include "codec/rlbench_scene.h"
#include "support/matchers.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

constexpr int kSizePx = 512;
constexpr double kSigmaPx = 25.6;
constexpr double kPedestal = 0.25;
const Eigen::Vector2d kCentre(240.3, 270.8);
// A step between two pixels is known to a fraction of one: 0.23 px at most were measured.
constexpr double kEdgePx = 0.25;

DiscEdge Edge(double background) {
  return {.sigma_px = kSigmaPx, .pedestal = kPedestal, .background = background};
}

Channel Disc(const Eigen::Vector2d& centre, double background) {
  Channel channel(kSizePx, kSizePx);
  channel.AddDisc({.uv = centre, .sigma_px = kSigmaPx}, kPedestal, background);
  return channel;
}

// As a blob fit hands it over: off by `offset`, with this standard deviation.
Peak PeakAt(const Eigen::Vector2d& uv, double deviation_px) {
  return {uv, Eigen::Matrix2d::Identity() / (deviation_px * deviation_px), 1.0};
}

class DiscEdgeTest : public ::testing::TestWithParam<double> {};

// A step where the gripper is closed, a kink where it is open: both tell the centre, and the peak
// knows that it is better now.
TEST_P(DiscEdgeTest, RingTellsTheCentre) {
  const Channel channel = Disc(kCentre, GetParam());
  for (const Eigen::Vector2d& offset :
       {Eigen::Vector2d(0, 0), Eigen::Vector2d(1.5, -1), Eigen::Vector2d(-2.5, 2)}) {
    Peak peak = PeakAt(kCentre + offset, 2.0);
    const double information = peak.information.trace();
    RefineOnDiscEdge(channel.plane(), Edge(GetParam()), peak);
    EXPECT_THAT(peak.uv, PixelNear(kCentre, kEdgePx)) << offset.transpose();
    EXPECT_GE(peak.information.trace(), 100 * information);
    EXPECT_EQ(peak.amplitude, 1.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Backgrounds, DiscEdgeTest, ::testing::Values(0.0, 0.12, 0.24));

// Smooth noise moves the wide blob, hardly the sharp edge.
TEST(DiscEdge, SurvivesSmoothNoise) {
  Rng rng(4);
  const SmoothNoise noise(kSizePx, 8.0, 0.05, rng);
  std::vector<double> errors_px;
  for (int draw = 0; draw < 12; ++draw) {
    const Eigen::Vector2d centre(rng.Uniform(150, 350), rng.Uniform(150, 350));
    Channel channel = Disc(centre, 0.0);
    noise.AddTo(channel.pixels, rng);
    const Eigen::Vector2d offset(rng.Uniform(-1.5, 1.5), rng.Uniform(-1.5, 1.5));
    Peak peak = PeakAt(centre + offset, 1.5);
    RefineOnDiscEdge(channel.plane(), Edge(0.0), peak);
    errors_px.push_back((peak.uv - centre).norm());
  }
  RecordProperty("median_px", std::to_string(Percentile(errors_px, 0.5)));
  EXPECT_LE(Percentile(errors_px, 0.5), 0.1);
  EXPECT_LE(Percentile(errors_px, 1.0), 0.5);
}

// The less of the ring is seen, the nearer the blob's own fit has to be.
TEST(DiscEdge, PartOfTheRingIsEnough) {
  for (const double column : {0.4, 14.4, 30.4}) {
    const Eigen::Vector2d centre(column, 200.7);  // up to half of the ring lies outside
    const Channel channel = Disc(centre, 0.0);
    Peak peak = PeakAt(centre + Eigen::Vector2d(0.3, 0.3), 1.5);
    const double information = peak.information.trace();
    RefineOnDiscEdge(channel.plane(), Edge(0.0), peak);
    EXPECT_THAT(peak.uv, PixelNear(centre, kEdgePx)) << column;
    EXPECT_GE(peak.information.trace(), 100 * information) << column;
  }
}

TEST(DiscEdge, BytesAreReadInPlace) {
  const Channel channel = Disc(kCentre, 0.0);
  std::vector<uint8_t> bytes(3 * channel.pixels.size(), 0);
  for (size_t i = 0; i < channel.pixels.size(); ++i) {
    bytes[3 * i + 2] = static_cast<uint8_t>(std::lround(255.0f * channel.pixels[i]));
  }
  const Plane<uint8_t> plane{bytes.data() + 2, 3 * kSizePx, 3, kSizePx, kSizePx, 1.0f / 255.0f};
  Peak peak = PeakAt(kCentre + Eigen::Vector2d(1.0, -1.0), 1.5);
  RefineOnDiscEdge(plane, Edge(0.0), peak);
  EXPECT_THAT(peak.uv, PixelNear(kCentre, kEdgePx));
}

struct Untouched {
  std::string name;
  Channel channel;
  DiscEdge edge;
  Peak peak;
};

// Where the edge cannot help or contradicts the blob, the peak stays as it is, to the last bit.
TEST(DiscEdge, LeavesThePeakAloneWhereItCannotHelp) {
  const Eigen::Vector2d near = kCentre + Eigen::Vector2d(1.0, 0.5);
  Channel smooth(kSizePx, kSizePx);
  smooth.Add({.uv = kCentre, .sigma_px = kSigmaPx});
  Channel small(64, 64);
  small.AddDisc({.uv = {30.2, 33.1}, .sigma_px = 3.2}, kPedestal, 0.0);
  const std::vector<Untouched> cases{
      {"disc of a small picture",
       small,
       {.sigma_px = 3.2, .pedestal = kPedestal, .background = 0},
       PeakAt({31.2, 33.1}, 1.0)},
      {"peak too uncertain to look nearby", Disc(kCentre, 0.0), Edge(0.0), PeakAt(near, 5.0)},
      {"peak better than an edge", Disc(kCentre, 0.0), Edge(0.0), PeakAt(near, 0.01)},
      {"most of the ring outside", Disc({-30, 200}, 0.0), Edge(0.0), PeakAt({-29, 200}, 1.0)},
      {"a Gaussian without an edge", smooth, Edge(0.0), PeakAt(near, 1.0)},
      {"nothing there", Channel(kSizePx, kSizePx), Edge(0.0), PeakAt(near, 1.0)},
      {"ring contradicts a sure blob", Disc(kCentre + Eigen::Vector2d(4.0, 0.0), 0.0), Edge(0.0),
       PeakAt(kCentre, 0.3)},
      {"not finite", Channel(kSizePx, kSizePx, std::numeric_limits<double>::quiet_NaN()), Edge(0.0),
       PeakAt(near, 1.0)},
  };
  for (const Untouched& test : cases) {
    Peak peak = test.peak;
    RefineOnDiscEdge(test.channel.plane(), test.edge, peak);
    EXPECT_EQ(peak.uv, test.peak.uv) << test.name;
    EXPECT_EQ(peak.information, test.peak.information) << test.name;
  }
}

}  // namespace
}  // namespace aim
