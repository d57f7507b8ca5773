#include "aim/metrics/picture_quality.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "aim/base/error.h"

namespace aim {
namespace {

constexpr double kPeak = 255;
constexpr double kWindowSigmaPx = 1.5;
constexpr size_t kWindow = kSsimWindowPx;

// Weighted means over the window of what the similarity is made of.
struct WindowMeans {
  double first = 0;
  double second = 0;
  double first_squared = 0;
  double second_squared = 0;
  double product = 0;

  void Add(double weight, const WindowMeans& more) {
    first += weight * more.first;
    second += weight * more.second;
    first_squared += weight * more.first_squared;
    second_squared += weight * more.second_squared;
    product += weight * more.product;
  }
};

std::array<double, kWindow> GaussianWindow() {
  std::array<double, kWindow> weights{};
  double sum = 0;
  for (size_t i = 0; i < kWindow; ++i) {
    const double distance = static_cast<double>(i) - 0.5 * (kWindow - 1);
    weights[i] = std::exp(-0.5 * distance * distance / (kWindowSigmaPx * kWindowSigmaPx));
    sum += weights[i];
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

double Similarity(const WindowMeans& means) {
  constexpr double kC1 = (0.01 * kPeak) * (0.01 * kPeak);
  constexpr double kC2 = (0.03 * kPeak) * (0.03 * kPeak);
  const double first_variance = means.first_squared - means.first * means.first;
  const double second_variance = means.second_squared - means.second * means.second;
  const double covariance = means.product - means.first * means.second;
  const double luminance = (2 * means.first * means.second + kC1) /
                           (means.first * means.first + means.second * means.second + kC1);
  return luminance * (2 * covariance + kC2) / (first_variance + second_variance + kC2);
}

// Along the rows of one channel: [height, width - window + 1].
std::vector<WindowMeans> FilterRows(std::span<const uint8_t> first, std::span<const uint8_t> second,
                                    size_t width, size_t height, size_t channel,
                                    const std::array<double, kWindow>& weights) {
  const size_t columns = width - kWindow + 1;
  std::vector<WindowMeans> means(height * columns);
  for (size_t row = 0; row < height; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      WindowMeans& mean = means[row * columns + column];
      for (size_t i = 0; i < kWindow; ++i) {
        const size_t at = 3 * (row * width + column + i) + channel;
        const double a = first[at];
        const double b = second[at];
        mean.Add(weights[i], {a, b, a * a, b * b, a * b});
      }
    }
  }
  return means;
}

}  // namespace

double PicturePsnrDb(std::span<const uint8_t> first, std::span<const uint8_t> second) {
  AIM_CHECK(first.size() == second.size() && !first.empty());
  int64_t sum = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    const int difference = static_cast<int>(first[i]) - static_cast<int>(second[i]);
    sum += difference * difference;
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  const double mean_square = static_cast<double>(sum) / static_cast<double>(first.size());
  return 10 * std::log10(kPeak * kPeak / mean_square);
}

double Ssim(std::span<const uint8_t> first, std::span<const uint8_t> second, int width,
            int height) {
  AIM_CHECK(width >= kSsimWindowPx && height >= kSsimWindowPx);
  const auto num_columns = static_cast<size_t>(width);
  const auto num_rows = static_cast<size_t>(height);
  AIM_CHECK(first.size() == 3 * num_columns * num_rows && second.size() == first.size());
  const std::array<double, kWindow> weights = GaussianWindow();
  const size_t columns = num_columns - kWindow + 1;
  const size_t rows = num_rows - kWindow + 1;
  double sum = 0;
  for (size_t channel = 0; channel < 3; ++channel) {
    const std::vector<WindowMeans> means =
        FilterRows(first, second, num_columns, num_rows, channel, weights);
    for (size_t row = 0; row < rows; ++row) {
      for (size_t column = 0; column < columns; ++column) {
        WindowMeans mean;
        for (size_t i = 0; i < kWindow; ++i) {
          mean.Add(weights[i], means[(row + i) * columns + column]);
        }
        sum += Similarity(mean);
      }
    }
  }
  return sum / static_cast<double>(3 * rows * columns);
}

}  // namespace aim
