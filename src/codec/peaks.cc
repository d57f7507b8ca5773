#include "codec/peaks.h"

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

namespace aim {
namespace {

using Grid = Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr double kCellsPerSigma = 3.2;     // resolution of the search
constexpr double kFilterSigmas = 2.2;      // radius of the matched filter
constexpr double kPixelsPerSigma = 12.8;   // resolution of the fit, where the picture has it
constexpr double kWeakestResponse = 0.12;  // of a perfect blob: below it nothing is a blob
constexpr double kNoiseGate = 3.5;         // standard deviations of the filtered noise
constexpr double kWeakestRival = 0.4;      // of the best response
constexpr double kMaxShiftSigmas = 2.0;    // the fit may move a proposal so far
constexpr double kMaxOutsideSigmas = 1.0;  // a centre may lie so far outside the picture

int CellStep(double sigma_px) {
  return std::max(1, static_cast<int>(std::lround(sigma_px / kCellsPerSigma)));
}

// The matched filter's answer, scaled so that a perfect Gaussian reads 1 at its centre.
Grid MatchedFilter(const SearchGrid& grid, double sigma_cells, float background) {
  const int radius = static_cast<int>(std::ceil(kFilterSigmas * sigma_cells));
  const Eigen::ArrayXf taps =
      (-Eigen::ArrayXf::LinSpaced(2 * radius + 1, static_cast<float>(-radius),
                                  static_cast<float>(radius))
            .square() /
       static_cast<float>(2.0 * sigma_cells * sigma_cells))
          .exp();
  const float scale = 1.0f / taps.square().sum();
  const auto rows = grid.cells.rows(), columns = grid.cells.cols();
  Grid padded = Grid::Zero(rows, columns + 2 * radius);
  padded.middleCols(radius, columns) = grid.cells - background;
  Grid along_rows = Grid::Zero(rows + 2 * radius, columns);
  for (Eigen::Index row = 0; row < rows; ++row) {
    auto out = along_rows.row(row + radius);
    out = taps[radius] * padded.row(row).segment(radius, columns);
    for (int tap = 0; tap < radius; ++tap) {
      out += taps[tap] * (padded.row(row).segment(tap, columns) +
                          padded.row(row).segment(2 * radius - tap, columns));
    }
  }
  Grid response = Grid::Zero(rows, columns);
  for (Eigen::Index row = 0; row < rows; ++row) {
    auto out = response.row(row);
    out = taps[radius] * along_rows.row(row + radius);
    for (int tap = 0; tap < radius; ++tap) {
      out += taps[tap] * (along_rows.row(row + tap) + along_rows.row(row + 2 * radius - tap));
    }
    out *= scale * scale;
  }
  return response;
}

// Standard deviation of the filtered noise, from the median: the blob itself hardly moves it.
double FilteredNoise(const Grid& response) {
  std::vector<float> magnitudes;
  magnitudes.reserve(static_cast<size_t>(response.size() / 4 + 1));
  for (Eigen::Index row = 0; row < response.rows(); row += 2) {
    for (Eigen::Index column = 0; column < response.cols(); column += 2) {
      const float magnitude = std::abs(response(row, column));
      magnitudes.push_back(std::isfinite(magnitude) ? magnitude : 1e3f);
    }
  }
  const auto middle = magnitudes.begin() + static_cast<ptrdiff_t>(magnitudes.size() / 2);
  std::nth_element(magnitudes.begin(), middle, magnitudes.end());
  return 1.4826 * static_cast<double>(*middle);
}

struct Proposal {
  Eigen::Vector2d uv;
  float response;
};

// Local maxima of the filter's answer, refined by a parabola, best first.
std::vector<Proposal> ProposePeaks(const Grid& response, int step, double threshold,
                                   int max_peaks) {
  std::vector<Proposal> proposals;
  const Eigen::Index rows = response.rows(), columns = response.cols();
  const auto at = [&](Eigen::Index row, Eigen::Index column) {
    return response(std::clamp<Eigen::Index>(row, 0, rows - 1),
                    std::clamp<Eigen::Index>(column, 0, columns - 1));
  };
  const auto vertex = [](float before, float here, float after) {
    const double curvature = 2.0 * static_cast<double>(here) - before - after;
    return curvature > 1e-9
               ? std::clamp(0.5 * (static_cast<double>(after) - before) / curvature, -0.5, 0.5)
               : 0.0;
  };
  const float lowest = static_cast<float>(threshold);
  for (Eigen::Index row = 0; row < rows; ++row) {
    for (Eigen::Index column = 0; column < columns; ++column) {
      const float here = response(row, column);
      if (!(here > lowest)) continue;
      bool is_highest = true;
      for (Eigen::Index dr = -1; dr <= 1 && is_highest; ++dr) {
        for (Eigen::Index dc = -1; dc <= 1; ++dc) {
          const float other = at(row + dr, column + dc);
          // Ties go to the first in reading order.
          const bool is_before = dr < 0 || (dr == 0 && dc < 0);
          if (other > here || (is_before && other == here && row + dr >= 0 && column + dc >= 0))
            is_highest = false;
        }
      }
      if (!is_highest) continue;
      const double x =
          static_cast<double>(column) + vertex(at(row, column - 1), here, at(row, column + 1));
      const double y =
          static_cast<double>(row) + vertex(at(row - 1, column), here, at(row + 1, column));
      const double half = 0.5 * (step - 1);
      proposals.push_back({{x * step + half, y * step + half}, here});
    }
  }
  std::sort(proposals.begin(), proposals.end(),
            [](const Proposal& a, const Proposal& b) { return a.response > b.response; });
  const auto is_rival = [&](const Proposal& p) {
    return static_cast<double>(p.response) >=
           kWeakestRival * static_cast<double>(proposals.front().response);
  };
  while (!proposals.empty() &&
         (proposals.size() > static_cast<size_t>(max_peaks) || !is_rival(proposals.back()))) {
    proposals.pop_back();
  }
  return proposals;
}

// Every `stride`-th pixel around a proposal, as floats.
struct Window {
  Grid values;
  int x0 = 0;
  int y0 = 0;
  int stride = 1;
};

template <class T>
Window CutWindow(const Plane<T>& plane, const Eigen::Vector2d& centre, double half, int stride,
                 float subtract) {
  Window window;
  window.stride = stride;
  const auto range = [&](double middle, int size, int& begin) {
    const int low = std::clamp(static_cast<int>(std::floor(middle - half)), 0, size - 1);
    const int high = std::clamp(static_cast<int>(std::ceil(middle + half)), 0, size - 1);
    begin = low;
    return (high - low) / stride + 1;
  };
  const int columns = range(centre.x(), plane.width, window.x0);
  const int rows = range(centre.y(), plane.height, window.y0);
  window.values.resize(rows, columns);
  for (int row = 0; row < rows; ++row) {
    const T* source =
        plane.data + (window.y0 + row * stride) * plane.row_stride + window.x0 * plane.pixel_stride;
    const ptrdiff_t hop = plane.pixel_stride * stride;
    float* out = &window.values(row, 0);
    for (int column = 0; column < columns; ++column) {
      out[column] = plane.scale * static_cast<float>(source[column * hop]) - subtract;
    }
  }
  return window;
}

// Pixels count less with their distance: exp(-d^2 / (2 tau^2)), tau this many blob widths. It is
// the best for noise whose correlation length is 0.3 blob widths, and costs 1 % if there is none.
constexpr double kWeightSigmas = 2.0;

// Normal equations of pixel = offset + a g + (a du) dg/du + (a dv) dg/dv over a disc, weighted.
struct NormalEquations {
  Eigen::Matrix4d matrix = Eigen::Matrix4d::Zero();
  Eigen::Vector4d right = Eigen::Vector4d::Zero();
  double squares = 0;
  double count = 0;
};

// Along a row all sums but those with pixel values come from running sums over the columns.
NormalEquations Accumulate(const Window& window, const Eigen::Vector2d& centre, double sigma_px,
                           double radius_px) {
  const Eigen::Index columns = window.values.cols();
  const double rate = 1.0 / (sigma_px * sigma_px);
  const double weight_rate = rate / (kWeightSigmas * kWeightSigmas);
  Eigen::ArrayXf weight(columns), gauss(columns), slope(columns);  // the latter two weighted
  Eigen::Array<double, 6, Eigen::Dynamic> sums(6,
                                               columns + 1);  // of w {1, g, g', g g, g g', g' g'}
  sums.col(0).setZero();
  for (Eigen::Index j = 0; j < columns; ++j) {
    const double d = window.x0 + static_cast<double>(j) * window.stride - centre.x();
    const double g = std::exp(-0.5 * d * d * rate), gd = g * d * rate;
    const double w = std::exp(-0.5 * d * d * weight_rate);
    weight[j] = static_cast<float>(w);
    gauss[j] = static_cast<float>(w * g);
    slope[j] = static_cast<float>(w * gd);
    sums.col(j + 1) =
        sums.col(j) + w * Eigen::Array<double, 6, 1>(1, g, gd, g * g, g * gd, gd * gd);
  }
  NormalEquations normal;
  Eigen::Matrix4d& m = normal.matrix;
  for (Eigen::Index row = 0; row < window.values.rows(); ++row) {
    const double dy = window.y0 + static_cast<double>(row) * window.stride - centre.y();
    const double squared = radius_px * radius_px - dy * dy;
    if (squared <= 0) continue;
    const double half = std::sqrt(squared), left = centre.x() - window.x0;
    const auto begin = std::max<Eigen::Index>(
        0, static_cast<Eigen::Index>(std::ceil((left - half) / window.stride)));
    const auto end = std::min<Eigen::Index>(
        columns, static_cast<Eigen::Index>(std::floor((left + half) / window.stride)) + 1);
    if (begin >= end) continue;
    const auto pixels = window.values.row(row).segment(begin, end - begin).matrix();
    const double y = std::exp(-0.5 * dy * dy * rate), t = dy * rate;
    const double row_weight = std::exp(-0.5 * dy * dy * weight_rate);
    const Eigen::Array<double, 6, 1> n = row_weight * (sums.col(end) - sums.col(begin));
    m.row(0) += Eigen::RowVector4d(n[0], y * n[1], y * n[2], y * t * n[1]);
    m.row(1) += y * y * Eigen::RowVector4d(0, n[3], n[4], t * n[3]);
    m.row(2) += y * y * Eigen::RowVector4d(0, 0, n[5], t * n[4]);
    m(3, 3) += y * y * t * t * n[3];
    const auto sum = [&](const Eigen::ArrayXf& factors) {
      return row_weight *
             static_cast<double>(pixels.dot(factors.segment(begin, end - begin).matrix()));
    };
    const double with_g = sum(gauss);
    normal.right += Eigen::Vector4d(sum(weight), y * with_g, y * sum(slope), y * t * with_g);
    normal.squares +=
        row_weight *
        static_cast<double>(pixels.cwiseAbs2().dot(weight.segment(begin, end - begin).matrix()));
    normal.count += n[0];
  }
  m = m.selfadjointView<Eigen::Upper>();
  return normal;
}

// What is known of a blob before its pixels are seen: amplitude near 1, offset near 0. It matters
// only where the picture's border cuts the blob.
void AddPrior(NormalEquations& normal, double disc_pixels) {
  normal.matrix(0, 0) += 0.02 * disc_pixels;
  normal.matrix(1, 1) += 0.005 * disc_pixels;
  normal.right[1] += 0.005 * disc_pixels;
}

struct BlobFit {
  Eigen::Vector2d uv;
  Eigen::Matrix2d curvature;  // of half the squared error in uv, per full-resolution pixel
  double amplitude = 0;
  double rms = 0;
};

// Gauss-Newton; amplitude and offset are solved for in every step. Empty if the fit runs away.
template <class T>
std::optional<BlobFit> FitBlob(const Plane<T>& plane, const Eigen::Vector2d& start,
                               const PeakOptions& options) {
  const double sigma = options.sigma_px, radius = options.window_sigmas * sigma;
  const int stride = std::max(1, static_cast<int>(sigma / kPixelsPerSigma));
  const double stride_area = static_cast<double>(stride) * stride;
  const double margin = 0.75 * sigma;
  Eigen::Vector2d uv = start, cut_at = start;
  Window window = CutWindow(plane, uv, radius + margin, stride, static_cast<float>(options.offset));
  for (int iteration = 0; iteration < 12; ++iteration) {
    if ((uv - cut_at).norm() > margin) {
      window = CutWindow(plane, uv, radius + margin, stride, static_cast<float>(options.offset));
      cut_at = uv;
    }
    NormalEquations normal = Accumulate(window, uv, sigma, radius);
    if (normal.count < 12) return std::nullopt;
    const Eigen::Vector4d raw_right = normal.right;
    const Eigen::Matrix4d raw_matrix = normal.matrix;
    AddPrior(normal, std::numbers::pi * sigma * sigma / stride_area);
    const Eigen::Vector4d solution = normal.matrix.partialPivLu().solve(normal.right);
    const double amplitude = solution[1];
    if (!(amplitude > 0.05) || !solution.allFinite()) return std::nullopt;
    Eigen::Vector2d shift = solution.tail<2>() / amplitude;
    const double length = shift.norm();
    if (length > 0.5 * sigma) shift *= 0.5 * sigma / length;
    uv += shift;
    if ((uv - start).norm() > kMaxShiftSigmas * sigma) return std::nullopt;
    if (length > 2e-3 * sigma && iteration + 1 < 12) continue;
    if (length > 0.05 * sigma) return std::nullopt;  // still moving
    const double squares =
        normal.squares - 2.0 * solution.dot(raw_right) + solution.dot(raw_matrix * solution);
    const Eigen::Matrix2d nuisance = normal.matrix.topLeftCorner<2, 2>();
    const Eigen::Matrix2d mixed = normal.matrix.bottomLeftCorner<2, 2>();
    const Eigen::Matrix2d reduced =
        normal.matrix.bottomRightCorner<2, 2>() - mixed * nuisance.inverse() * mixed.transpose();
    // The weights take from the curvature what they do not take from the accuracy.
    const double unweighted = 1.0 + 0.5 / (kWeightSigmas * kWeightSigmas);
    const double scale = amplitude * amplitude * stride_area * unweighted * unweighted;
    return BlobFit{uv, reduced * scale, amplitude,
                   std::sqrt(std::max(0.0, squares) / normal.count)};
  }
  return std::nullopt;
}

}  // namespace

template <class T>
SearchGrid MakeSearchGrid(const Plane<T>& plane, double sigma_px) {
  SearchGrid grid;
  grid.step = CellStep(sigma_px);
  const int step = grid.step, first = step / 4, second = step - 1 - step / 4;
  const int rows = (plane.height + step - 1) / step, columns = (plane.width + step - 1) / step;
  grid.cells.resize(rows, columns);
  const float scale = 0.25f * plane.scale;
  for (int row = 0; row < rows; ++row) {
    const T* upper = plane.data + std::min(row * step + first, plane.height - 1) * plane.row_stride;
    const T* lower =
        plane.data + std::min(row * step + second, plane.height - 1) * plane.row_stride;
    for (int column = 0; column < columns; ++column) {
      const ptrdiff_t left = std::min(column * step + first, plane.width - 1) * plane.pixel_stride;
      const ptrdiff_t right =
          std::min(column * step + second, plane.width - 1) * plane.pixel_stride;
      grid.cells(row, column) =
          scale * (static_cast<float>(upper[left]) + static_cast<float>(upper[right]) +
                   static_cast<float>(lower[left]) + static_cast<float>(lower[right]));
    }
  }
  return grid;
}

template <class T>
std::vector<Peak> FindPeaks(const Plane<T>& plane, const SearchGrid& grid,
                            const PeakOptions& options) {
  const double sigma = options.sigma_px;
  const Grid response =
      MatchedFilter(grid, sigma / grid.step, static_cast<float>(options.background));
  const double filtered_noise = FilteredNoise(response);
  const double threshold = std::max(kWeakestResponse, kNoiseGate * filtered_noise);
  std::vector<Peak> peaks;
  for (const Proposal& proposal : ProposePeaks(response, grid.step, threshold, options.max_peaks)) {
    const std::optional<BlobFit> fit = FitBlob(plane, proposal.uv, options);
    if (!fit) continue;
    const double margin = kMaxOutsideSigmas * sigma;
    if (!(fit->uv.x() > -margin && fit->uv.x() < plane.width - 1 + margin &&
          fit->uv.y() > -margin && fit->uv.y() < plane.height - 1 + margin)) {
      continue;
    }
    const bool is_known = std::any_of(peaks.begin(), peaks.end(), [&](const Peak& peak) {
      return (peak.uv - fit->uv).norm() < 0.3 * sigma;
    });
    if (is_known) continue;
    // The noise may be smooth, so its density comes from what the filter leaves of it far from the
    // blob, or from half of what the fit leaves unexplained near it.
    const double noise = filtered_noise * filtered_noise + 0.25 * fit->rms * fit->rms + 1e-12;
    const double density = std::numbers::pi * sigma * sigma * noise;
    peaks.push_back({fit->uv, fit->curvature / density, fit->amplitude});
  }
  return peaks;
}

template SearchGrid MakeSearchGrid(const Plane<float>&, double);
template SearchGrid MakeSearchGrid(const Plane<uint8_t>&, double);
template std::vector<Peak> FindPeaks(const Plane<float>&, const SearchGrid&, const PeakOptions&);
template std::vector<Peak> FindPeaks(const Plane<uint8_t>&, const SearchGrid&, const PeakOptions&);

}  // namespace aim
