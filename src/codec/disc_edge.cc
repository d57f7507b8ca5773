#include "codec/disc_edge.h"

#include <Eigen/LU>
#include <array>
#include <cmath>
#include <numbers>

namespace aim {
namespace {

constexpr double kSmallestRadiusPx = 20.0;
constexpr double kWorstStartPx = 3.0;  // standard deviation of the peak; farther off, edges mislead
constexpr double kBestStartPx = 0.05;  // a peak as good as this needs no help
constexpr int kSpokes = 48;
constexpr int kFewestSpokes = 20;
constexpr int kReachPx = 7;  // samples this far to both sides of the edge
constexpr int kSamples = 2 * kReachPx + 1;
constexpr int kTableReachPx = kReachPx + 2;
constexpr int kTablePerPx = 32;
// The step is smeared in the linearisation: widely first, so that it is caught from afar, then
// narrowly, because a wide one oversteps and does not settle.
constexpr std::array<double, 7> kStepWidthsPx{3.0, 1.5, 1.0, 0.7, 0.5, 0.4, 0.35};
// What the local parabola leaves of the noise is correlated along a spoke.
constexpr double kCorrelation = 1.5;
constexpr double kAgreementSquared = 16.0;
constexpr double kLowestGain = 0.7;  // sharpness of the edge found, 1 as drawn
constexpr double kHighestGain = 1.3;

using Samples = Eigen::Matrix<double, kSamples, 1>;

// B across the edge, by the distance from it: value, and minus the derivative (the fall).
class Profile {
 public:
  Profile(const DiscEdge& edge, double radius_px) : edge_(edge), radius_px_(radius_px) {
    for (size_t i = 0; i < inside_.size(); ++i) {
      const double rho = radius_px + Distance(i);
      inside_[i] = std::exp(-0.5 * rho * rho / (edge.sigma_px * edge.sigma_px));
    }
  }

  void SetStepWidth(double step_width_px) {
    const double height =
        (edge_.pedestal - edge_.background) / (step_width_px * std::sqrt(2.0 * std::numbers::pi));
    for (size_t i = 0; i < fall_.size(); ++i) {
      const double x = Distance(i) / step_width_px;
      const double slope =
          inside_[i] * (radius_px_ + Distance(i)) / (edge_.sigma_px * edge_.sigma_px);
      fall_[i] = height * std::exp(-0.5 * x * x) + (Distance(i) < 0 ? slope : 0.0);
    }
  }

  double Value(double distance_px) const {
    return distance_px < 0 ? inside_[Index(distance_px)] : edge_.background;
  }
  double Fall(double distance_px) const { return fall_[Index(distance_px)]; }

 private:
  static double Distance(size_t index) {
    return static_cast<double>(index) / kTablePerPx - kTableReachPx;
  }
  static size_t Index(double distance_px) {
    return static_cast<size_t>((distance_px + kTableReachPx) * kTablePerPx + 0.5);
  }

  DiscEdge edge_;
  double radius_px_;
  std::array<double, 2 * kTableReachPx * kTablePerPx + 1> inside_;
  std::array<double, 2 * kTableReachPx * kTablePerPx + 1> fall_;
};

// Takes the best parabola out of the samples of a spoke: it stands for smooth noise and for a wrong
// level, and leaves what is sharp.
class ParabolaRemover {
 public:
  ParabolaRemover() {
    for (int i = 0; i < kSamples; ++i) {
      const double x = static_cast<double>(i - kReachPx) / kReachPx;
      basis_.row(i) << 1.0, x, x * x;
    }
    projection_ = (basis_.transpose() * basis_).inverse() * basis_.transpose();
  }
  Samples operator()(const Samples& values) const {
    return values - basis_ * (projection_ * values);
  }

 private:
  Eigen::Matrix<double, kSamples, 3> basis_;
  Eigen::Matrix<double, 3, kSamples> projection_;
};

// Least squares of the centre's shift over all spokes.
struct RingFit {
  Eigen::Matrix2d matrix = Eigen::Matrix2d::Zero();
  Eigen::Vector2d right = Eigen::Vector2d::Zero();
  double squares = 0;     // of the sharp part of what the drawn edge leaves
  double drawn = 0;       // of the sharp part of the drawn edge
  double drawn_seen = 0;  // of the drawn edge times the picture, sharp parts
  int num_spokes = 0;
};

template <class T>
class Ring {
 public:
  Ring(const Plane<T>& plane, const DiscEdge& edge, double radius_px)
      : plane_(plane), profile_(edge, radius_px), radius_px_(radius_px) {
    for (size_t spoke = 0; spoke < kSpokes; ++spoke) {
      const double angle_rad = 2.0 * std::numbers::pi * static_cast<double>(spoke) / kSpokes;
      directions_[spoke] = {std::cos(angle_rad), std::sin(angle_rad)};
    }
  }

  RingFit Fit(const Eigen::Vector2d& centre, double step_width_px) {
    profile_.SetStepWidth(step_width_px);
    RingFit fit;
    for (const Eigen::Vector2d& direction : directions_) AddSpoke(centre, direction, fit);
    return fit;
  }

 private:
  // The pixels nearest to points along the spoke, compared at their true distances.
  void AddSpoke(const Eigen::Vector2d& centre, const Eigen::Vector2d& direction,
                RingFit& fit) const {
    const Eigen::Vector2d inner = centre + (radius_px_ - kReachPx) * direction;
    const Eigen::Vector2d outer = centre + (radius_px_ + kReachPx) * direction;
    if (inner.cwiseMin(outer).minCoeff() < 0) return;
    const Eigen::Vector2d last = inner.cwiseMax(outer);
    if (last.x() > plane_.width - 1 || last.y() > plane_.height - 1) return;
    Samples pixels, drawn, fall;
    for (int i = 0; i < kSamples; ++i) {
      const Eigen::Vector2d at = inner + i * direction;
      const int column = static_cast<int>(at.x() + 0.5), row = static_cast<int>(at.y() + 0.5);
      const double dx = column - centre.x(), dy = row - centre.y();
      const double distance_px = std::sqrt(dx * dx + dy * dy) - radius_px_;
      pixels[i] = static_cast<double>(plane_.at(row, column));
      drawn[i] = profile_.Value(distance_px);
      fall[i] = profile_.Fall(distance_px);
    }
    const Samples sharp_fall = remove_(fall), sharp_pixels = remove_(pixels),
                  sharp_drawn = remove_(drawn);
    const Samples sharp_residual = sharp_pixels - sharp_drawn;
    fit.matrix += sharp_fall.squaredNorm() * direction * direction.transpose();
    fit.right += sharp_fall.dot(sharp_residual) * direction;
    fit.squares += sharp_residual.squaredNorm();
    fit.drawn += sharp_drawn.squaredNorm();
    fit.drawn_seen += sharp_drawn.dot(sharp_pixels);
    ++fit.num_spokes;
  }

  const Plane<T>& plane_;
  Profile profile_;
  double radius_px_;
  ParabolaRemover remove_;
  std::array<Eigen::Vector2d, kSpokes> directions_;
};

}  // namespace

template <class T>
void RefineOnDiscEdge(const Plane<T>& plane, const DiscEdge& edge, Peak& peak) {
  const double radius_px = edge.sigma_px * std::sqrt(-2.0 * std::log(edge.pedestal));
  if (!(radius_px >= kSmallestRadiusPx)) return;
  const double start_variance = 0.5 * peak.information.inverse().trace();
  if (!(start_variance <= kWorstStartPx * kWorstStartPx)) return;
  if (start_variance <= kBestStartPx * kBestStartPx) return;
  Ring ring(plane, edge, radius_px);
  Eigen::Vector2d centre = peak.uv;
  RingFit fit;
  for (const double step_width_px : kStepWidthsPx) {
    fit = ring.Fit(centre, step_width_px);
    if (fit.num_spokes < kFewestSpokes) return;
    const Eigen::Vector2d shift = fit.matrix.inverse() * fit.right;
    if (!shift.allFinite() || shift.norm() > kReachPx) return;
    centre += shift;
  }
  const double gain = fit.drawn_seen / fit.drawn;
  if (!(gain >= kLowestGain && gain <= kHighestGain)) return;
  const double variance = kCorrelation * fit.squares / (fit.num_spokes * kSamples) + 1e-12;
  const Eigen::Matrix2d information = fit.matrix / variance;
  const Eigen::Vector2d difference = centre - peak.uv;
  const Eigen::Matrix2d covariance = information.inverse() + peak.information.inverse();
  if (!(difference.dot(covariance.inverse() * difference) < kAgreementSquared)) return;
  const Eigen::Matrix2d total = information + peak.information;
  peak.uv += total.inverse() * (information * difference);
  peak.information = total;
}

template void RefineOnDiscEdge(const Plane<float>&, const DiscEdge&, Peak&);
template void RefineOnDiscEdge(const Plane<uint8_t>&, const DiscEdge&, Peak&);

}  // namespace aim
