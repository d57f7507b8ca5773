#include "aim/media/optical_flow.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace aim {
namespace {

constexpr int kSizePx = 128;

// Smooth texture, moved by whole and part pixels.
Image Texture(double right_px, double down_px) {
  Image image(kSizePx, kSizePx);
  for (int row = 0; row < kSizePx; ++row) {
    for (int column = 0; column < kSizePx; ++column) {
      const double x = column - right_px;
      const double y = row - down_px;
      const double value =
          128 + 60 * std::sin(x / 5) * std::cos(y / 7) + 50 * std::sin((x + y) / 11);
      for (size_t channel = 0; channel < 3; ++channel) {
        const size_t pixel = static_cast<size_t>(row) * kSizePx + static_cast<size_t>(column);
        image.rgb[3 * pixel + channel] = static_cast<uint8_t>(std::lround(value));
      }
    }
  }
  return image;
}

TEST(OpticalFlowTest, FindsAShiftInBothDirections) {
  const FlowField flow = OpticalFlow(Texture(0, 0), Texture(3.5, -2));
  for (const Eigen::Vector2d& point :
       {Eigen::Vector2d(0.3, 0.3), Eigen::Vector2d(0.5, 0.6), Eigen::Vector2d(0.7, 0.4)}) {
    const Eigen::Vector2d moved_px = flow.At(point) * kSizePx;
    EXPECT_NEAR(moved_px.x(), 3.5, 0.3);
    EXPECT_NEAR(moved_px.y(), -2.0, 0.3);
  }
}

TEST(OpticalFlowTest, OfTwoEqualPicturesIsNothing) {
  const FlowField flow = OpticalFlow(Texture(0, 0), Texture(0, 0));
  EXPECT_LT((flow.At({0.5, 0.5}) * kSizePx).norm(), 0.05);
}

TEST(OpticalFlowTest, IsReadAtTheCornersToo) {
  const FlowField flow(2, 3, {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4});
  EXPECT_EQ(flow.At({0, 0}), Eigen::Vector2d(1.0 / 6, 2.0 / 4));
  EXPECT_EQ(flow.At({1, 1}), Eigen::Vector2d(3.0 / 6, 4.0 / 4));
}

}  // namespace
}  // namespace aim
