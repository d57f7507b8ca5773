#include "codec/pose_search.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "aim/geometry/symmetric_eigen.h"

namespace aim {
namespace {

constexpr int kPointsPerAnchor = 2;   // triangulated hypotheses kept
constexpr int kCircleStarts = 24;     // rotations tried about an axis
constexpr int kRotationStarts = 480;  // rotations tried about a point
constexpr int kFitsPerGuess = 4;      // of those, polished
constexpr int kFewestBlobs = 4;       // three fit a pose without a check
constexpr double kRivalRotationRad = 0.2;
constexpr double kRivalDistanceM = 0.02;

struct PointHypothesis {
  Eigen::Vector3d p_in_world;
  double cost;
};

Eigen::Vector3d RayDirection(const FitCamera& camera, const Eigen::Vector2d& uv) {
  const Eigen::Vector3d in_camera((uv.x() - camera.cx) / camera.fx,
                                  (uv.y() - camera.cy) / camera.fy, 1.0);
  return (camera.camera_from_world_rotation.transpose() * in_camera).normalized();
}

// The point nearest to two rays; empty if they are parallel or meet behind a camera.
std::optional<Eigen::Vector3d> MeetRays(const FitCamera& a, const Eigen::Vector2d& uv_a,
                                        const FitCamera& b, const Eigen::Vector2d& uv_b) {
  const Eigen::Vector3d da = RayDirection(a, uv_a), db = RayDirection(b, uv_b);
  const Eigen::Vector3d between = b.centre_in_world - a.centre_in_world;
  const double cosine = da.dot(db), determinant = 1.0 - cosine * cosine;
  if (!(determinant > 1e-8)) return std::nullopt;
  const double along_a = (between.dot(da) - cosine * between.dot(db)) / determinant;
  const double along_b = (cosine * between.dot(da) - between.dot(db)) / determinant;
  if (!(along_a > 0) || !(along_b > 0)) return std::nullopt;
  return 0.5 * (a.centre_in_world + along_a * da + b.centre_in_world + along_b * db);
}

// Bounded squared distance of a point's projections to the candidates of all views.
double PointCost(const FitProblem& problem, size_t anchor, const Eigen::Vector3d& p_in_world) {
  constexpr double kBound = 9 * kGate * kGate;
  double cost = 0;
  for (size_t view = 0; view < problem.cameras.size(); ++view) {
    Eigen::Vector2d uv;
    if (!problem.cameras[view].Project(p_in_world, uv, nullptr)) {
      cost += kBound;
      continue;
    }
    double nearest = problem.cameras[view].Contains(uv) ? kBound : 0.5 * kBound;
    for (const Peak& peak : problem.views[view].candidates[anchor]) {
      const Eigen::Vector2d residual = uv - peak.uv;
      const double squared = residual.dot(peak.information * residual);
      // The floor bounds how far a very sharp peak may be trusted.
      const double floored = residual.squaredNorm() / problem.variance_floor[view][anchor];
      nearest = std::min(nearest, std::min(squared, floored));
    }
    cost += nearest;
  }
  return cost;
}

// Best points for one anchor over all pairs of views and candidates.
std::vector<PointHypothesis> TriangulateAnchor(const FitProblem& problem, size_t anchor) {
  std::vector<PointHypothesis> points;
  for (size_t a = 0; a < problem.views.size(); ++a) {
    for (size_t b = a + 1; b < problem.views.size(); ++b) {
      for (const Peak& peak_a : problem.views[a].candidates[anchor]) {
        for (const Peak& peak_b : problem.views[b].candidates[anchor]) {
          const auto point = MeetRays(problem.cameras[a], peak_a.uv, problem.cameras[b], peak_b.uv);
          if (point) points.push_back({*point, PointCost(problem, anchor, *point)});
        }
      }
    }
  }
  std::sort(points.begin(), points.end(),
            [](const PointHypothesis& x, const PointHypothesis& y) { return x.cost < y.cost; });
  std::vector<PointHypothesis> kept;
  for (const PointHypothesis& point : points) {
    const bool is_new = std::none_of(kept.begin(), kept.end(), [&](const PointHypothesis& other) {
      return (other.p_in_world - point.p_in_world).norm() < 0.01;
    });
    if (is_new) kept.push_back(point);
    if (kept.size() == kPointsPerAnchor) break;
  }
  return kept;
}

// Turns the pairs from `from` onto those of `to` best (Horn 1987): the quaternion of the greatest
// eigenvalue. The pairs are about their centroids.
Eigen::Quaterniond BestRotation(const Eigen::Matrix3d& covariance) {
  const Eigen::Matrix3d& c = covariance;
  Eigen::Matrix4d lower = Eigen::Matrix4d::Zero();
  lower.topLeftCorner<3, 3>() = c + c.transpose();
  lower.diagonal().head<3>().array() -= c.trace();
  lower.row(3).head<3>() << c(2, 1) - c(1, 2), c(0, 2) - c(2, 0), c(1, 0) - c(0, 1);
  lower(3, 3) = c.trace();
  return Eigen::Quaterniond(Eigen::Vector4d(DecomposeSymmetric(lower).vectors.col(3)));
}

// Rigid motion of the three anchors onto three points.
Rigid3d AlignPoints(const std::array<Eigen::Vector3d, 3>& anchors_in_tool,
                    const std::array<Eigen::Vector3d, 3>& points_in_world) {
  const Eigen::Vector3d from = (anchors_in_tool[0] + anchors_in_tool[1] + anchors_in_tool[2]) / 3.0;
  const Eigen::Vector3d to = (points_in_world[0] + points_in_world[1] + points_in_world[2]) / 3.0;
  Eigen::Matrix3d covariance = Eigen::Matrix3d::Zero();
  for (size_t i = 0; i < 3; ++i)
    covariance += (points_in_world[i] - to) * (anchors_in_tool[i] - from).transpose();
  const Eigen::Quaterniond rotation = BestRotation(covariance);
  return {rotation, to - rotation * from};
}

// Keeps the starts with the smallest cost that differ from each other.
std::vector<Rigid3d> BestStarts(const FitProblem& problem, const std::vector<Rigid3d>& starts) {
  std::vector<std::pair<double, const Rigid3d*>> scored;
  scored.reserve(starts.size());
  const WeightedViews peaks = WeighPeaks(problem);
  for (const Rigid3d& start : starts) scored.emplace_back(PoseCost(problem, peaks, start), &start);
  std::sort(scored.begin(), scored.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Rigid3d> best;
  best.reserve(kFitsPerGuess);
  for (const auto& candidate : scored) {
    const Rigid3d& start = *candidate.second;
    const bool is_new = std::none_of(best.begin(), best.end(), [&](const Rigid3d& other) {
      return AngleBetween(other.rotation, start.rotation) < 0.5;
    });
    if (is_new) best.push_back(start);
    if (best.size() == kFitsPerGuess) break;
  }
  return best;
}

// Poses that put anchor `a` at `p` and anchor `b` in the direction of `q`, spun about that axis.
std::vector<Rigid3d> SpinStarts(const FitProblem& problem, size_t a, const Eigen::Vector3d& p,
                                size_t b, const Eigen::Vector3d& q) {
  const Eigen::Vector3d axis_in_tool = problem.anchors_in_tool[b] - problem.anchors_in_tool[a];
  const Eigen::Vector3d axis_in_world = (q - p).normalized();
  const Eigen::Quaterniond aligned = RotationBetween(axis_in_tool, axis_in_world);
  const Eigen::Vector3d middle_in_world = 0.5 * (p + q);
  const Eigen::Vector3d middle_in_tool =
      0.5 * (problem.anchors_in_tool[a] + problem.anchors_in_tool[b]);
  std::vector<Rigid3d> starts;
  for (int i = 0; i < kCircleStarts; ++i) {
    const double angle_rad = 2.0 * std::numbers::pi * i / kCircleStarts;
    const Eigen::Quaterniond rotation =
        (Eigen::AngleAxisd(angle_rad, axis_in_world) * aligned).normalized();
    starts.push_back({rotation, middle_in_world - rotation * middle_in_tool});
  }
  return starts;
}

// Rotations spread evenly over SO(3) (two nested spirals on the unit quaternions), about a point.
std::vector<Rigid3d> TurnStarts(const FitProblem& problem, size_t anchor,
                                const Eigen::Vector3d& p) {
  std::vector<Rigid3d> starts;
  for (int i = 0; i < kRotationStarts; ++i) {
    const double s = i + 0.5, t = s / kRotationStarts;
    const double alpha = 2.0 * std::numbers::pi * s / std::numbers::sqrt2;
    const double beta = 2.0 * std::numbers::pi * s / 1.533751168755204288118041;
    const double r = std::sqrt(t), q = std::sqrt(1.0 - t);
    const Eigen::Quaterniond rotation(r * std::sin(alpha), r * std::cos(alpha), q * std::sin(beta),
                                      q * std::cos(beta));
    starts.push_back({rotation, p - rotation * problem.anchors_in_tool[anchor]});
  }
  return starts;
}

class Search {
 public:
  explicit Search(const FitProblem& problem) : problem_(problem) {
    for (size_t anchor = 0; anchor < 3; ++anchor)
      points_[anchor] = TriangulateAnchor(problem, anchor);
  }

  std::optional<RigidFit> Run() {
    TryTriples();
    if (!IsExplained()) TryPairs();
    if (!IsExplained()) TrySingles();
    if (fits_.empty() || Best().num_used < kFewestBlobs || HasRival()) return std::nullopt;
    return Best();
  }

 private:
  const RigidFit& Best() const {
    return *std::min_element(fits_.begin(), fits_.end(),
                             [](const RigidFit& a, const RigidFit& b) { return a.cost < b.cost; });
  }

  // Every anchor that the best pose puts into a picture was found there.
  bool IsExplained() const {
    return !fits_.empty() && Best().num_used == Best().num_expected &&
           Best().num_used >= kFewestBlobs;
  }

  // Another pose that the blobs allow as well.
  bool HasRival() const {
    const RigidFit& best = Best();
    return std::any_of(fits_.begin(), fits_.end(), [&](const RigidFit& fit) {
      const bool is_other =
          AngleBetween(fit.world_from_tool.rotation, best.world_from_tool.rotation) >
              kRivalRotationRad ||
          (fit.world_from_tool.translation - best.world_from_tool.translation).norm() >
              kRivalDistanceM;
      return is_other && fit.cost < best.cost + 9.0;
    });
  }

  void TryTriples() {
    for (const PointHypothesis& r : points_[0]) {
      for (const PointHypothesis& g : points_[1]) {
        for (const PointHypothesis& b : points_[2]) {
          const std::array<Eigen::Vector3d, 3> points{r.p_in_world, g.p_in_world, b.p_in_world};
          fits_.push_back(FitRigid(problem_, AlignPoints(problem_.anchors_in_tool, points)));
          const RigidFit& fit = fits_.back();
          if (fit.num_used == fit.num_expected && fit.num_used >= kFewestBlobs) return;
        }
      }
    }
  }

  void TryPairs() {
    for (size_t a = 0; a < 3; ++a) {
      const size_t b = (a + 1) % 3;
      for (const PointHypothesis& p : points_[a]) {
        for (const PointHypothesis& q : points_[b]) {
          const double length_m =
              (problem_.anchors_in_tool[a] - problem_.anchors_in_tool[b]).norm();
          const double found_m = (p.p_in_world - q.p_in_world).norm();
          if (!(found_m > 0.5 * length_m && found_m < 1.5 * length_m)) continue;
          Polish(SpinStarts(problem_, a, p.p_in_world, b, q.p_in_world));
        }
      }
    }
  }

  void TrySingles() {
    for (size_t anchor = 0; anchor < 3; ++anchor) {
      if (points_[anchor].empty()) continue;
      Polish(TurnStarts(problem_, anchor, points_[anchor].front().p_in_world));
    }
  }

  void Polish(const std::vector<Rigid3d>& starts) {
    for (const Rigid3d& start : BestStarts(problem_, starts))
      fits_.push_back(FitRigid(problem_, start));
  }

  const FitProblem& problem_;
  std::array<std::vector<PointHypothesis>, 3> points_;
  std::vector<RigidFit> fits_;
};

}  // namespace

std::optional<RigidFit> SearchPose(const FitProblem& problem) { return Search(problem).Run(); }

}  // namespace aim
