#include "codec/rigid_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <limits>

namespace aim {
namespace {

constexpr int kMaxIterations = 25;
constexpr double kNear = 1e-3;  // metres

using Matrix6 = Eigen::Matrix<double, 6, 6>;
using Vector6 = Eigen::Matrix<double, 6, 1>;

// Geman-McClure: c^2 e / (c^2 + e), bounded by c^2.
double Loss(double squared, double gate_squared) {
  return gate_squared * squared / (gate_squared + squared);
}
double LossWeight(double squared, double gate_squared) {
  const double ratio = gate_squared / (gate_squared + squared);
  return ratio * ratio;
}

struct Match {
  int index = -1;
  double squared = std::numeric_limits<double>::infinity();  // Mahalanobis
  Eigen::Vector2d residual;
};

// Information of a peak after adding the floor of the method's own error.
Eigen::Matrix2d FlooredInformation(const Peak& peak, double variance_floor) {
  return (peak.information.inverse() + variance_floor * Eigen::Matrix2d::Identity()).inverse();
}

Match Nearest(const std::vector<WeightedPeak>& peaks, const Eigen::Vector2d& uv) {
  Match match;
  for (size_t i = 0; i < peaks.size(); ++i) {
    const Eigen::Vector2d residual = uv - peaks[i].uv;
    const double squared = residual.dot(peaks[i].information * residual);
    if (squared < match.squared) match = {static_cast<int>(i), squared, residual};
  }
  return match;
}

struct Linearised {
  Matrix6 hessian = Matrix6::Zero();
  Vector6 gradient = Vector6::Zero();
  double cost = 0;
};

Eigen::Matrix3d Skew(const Eigen::Vector3d& v) {
  Eigen::Matrix3d m;
  m << 0, -v.z(), v.y(), v.z(), 0, -v.x(), -v.y(), v.x(), 0;
  return m;
}

Linearised Linearise(const FitProblem& problem, const WeightedViews& peaks,
                     const Rigid3d& world_from_tool, double gate_squared, bool with_derivatives) {
  Linearised result;
  const Eigen::Matrix3d rotation = world_from_tool.rotation.toRotationMatrix();
  for (size_t anchor = 0; anchor < 3; ++anchor) {
    const Eigen::Vector3d& q = problem.anchors_in_tool[anchor];
    const Eigen::Vector3d p_in_world = rotation * q + world_from_tool.translation;
    Eigen::Matrix<double, 3, 6> d_point;
    if (with_derivatives) d_point << Eigen::Matrix3d::Identity(), -rotation * Skew(q);
    for (size_t view = 0; view < problem.cameras.size(); ++view) {
      const FitCamera& camera = problem.cameras[view];
      Eigen::Vector2d uv;
      Eigen::Matrix<double, 2, 3> d_uv;
      if (!camera.Project(p_in_world, uv, with_derivatives ? &d_uv : nullptr)) continue;
      const Match match = Nearest(peaks[view][anchor], uv);
      if (match.index < 0) {
        if (camera.Contains(uv)) result.cost += gate_squared;
        continue;
      }
      const double loss = Loss(match.squared, gate_squared);
      // A blob that this pose puts outside the picture need not be explained.
      result.cost += loss;
      if (!with_derivatives) continue;
      const Eigen::Matrix2d& information =
          peaks[view][anchor][static_cast<size_t>(match.index)].information;
      const Eigen::Matrix2d weight = LossWeight(match.squared, gate_squared) * information;
      const Eigen::Matrix<double, 2, 6> jacobian = d_uv * d_point;
      result.hessian += jacobian.transpose() * weight * jacobian;
      result.gradient += jacobian.transpose() * (weight * match.residual);
    }
  }
  return result;
}

Rigid3d Step(const Rigid3d& world_from_tool, const Vector6& delta) {
  return {(world_from_tool.rotation * ExpRotation(delta.tail<3>())).normalized(),
          world_from_tool.translation + delta.head<3>()};
}

// Which peaks the final pose explains.
void Summarise(const FitProblem& problem, const WeightedViews& peaks, RigidFit& fit) {
  fit.used.assign(problem.cameras.size(), {-1, -1, -1});
  for (size_t view = 0; view < problem.cameras.size(); ++view) {
    for (size_t anchor = 0; anchor < 3; ++anchor) {
      Eigen::Vector2d uv;
      if (!problem.cameras[view].Project(fit.world_from_tool * problem.anchors_in_tool[anchor], uv,
                                         nullptr))
        continue;
      const bool is_inside = problem.cameras[view].Contains(uv);
      const Match match = Nearest(peaks[view][anchor], uv);
      const bool is_used = match.squared < kGate * kGate;
      if (is_used || is_inside) ++fit.num_expected;
      if (!is_used) continue;
      ++fit.num_used;
      fit.used[view][anchor] = match.index;
      fit.chi_squared += match.squared;
    }
  }
}

}  // namespace

FitCamera::FitCamera(const Camera& camera)
    : camera_from_world_rotation(camera.world_from_camera.rotation.conjugate().toRotationMatrix()),
      centre_in_world(camera.world_from_camera.translation),
      fx(camera.fx),
      fy(camera.fy),
      cx(camera.cx),
      cy(camera.cy),
      width(camera.width),
      height(camera.height) {}

bool FitCamera::Project(const Eigen::Vector3d& p_in_world, Eigen::Vector2d& uv,
                        Eigen::Matrix<double, 2, 3>* d_uv) const {
  const Eigen::Vector3d p = camera_from_world_rotation * (p_in_world - centre_in_world);
  if (!(p.z() > kNear)) return false;
  const double inverse_z = 1.0 / p.z(), x = p.x() * inverse_z, y = p.y() * inverse_z;
  uv = {cx + fx * x, cy + fy * y};
  if (d_uv) {
    Eigen::Matrix<double, 2, 3> d_camera;
    d_camera << fx * inverse_z, 0, -fx * x * inverse_z, 0, fy * inverse_z, -fy * y * inverse_z;
    *d_uv = d_camera * camera_from_world_rotation;
  }
  return true;
}

bool FitCamera::Contains(const Eigen::Vector2d& uv) const {
  return uv.x() >= -0.5 && uv.y() >= -0.5 && uv.x() <= width - 0.5 && uv.y() <= height - 0.5;
}

WeightedViews WeighPeaks(const FitProblem& problem) {
  WeightedViews peaks(problem.views.size());
  for (size_t view = 0; view < problem.views.size(); ++view) {
    for (size_t anchor = 0; anchor < 3; ++anchor) {
      for (const Peak& peak : problem.views[view].candidates[anchor]) {
        peaks[view][anchor].push_back(
            {peak.uv, FlooredInformation(peak, problem.variance_floor[view][anchor])});
      }
    }
  }
  return peaks;
}

double PoseCost(const FitProblem& problem, const WeightedViews& peaks,
                const Rigid3d& world_from_tool) {
  return Linearise(problem, peaks, world_from_tool, kGate * kGate, false).cost;
}

RigidFit FitRigid(const FitProblem& problem, const Rigid3d& start) {
  const WeightedViews peaks = WeighPeaks(problem);
  const double final_gate = kGate * kGate;
  double widening = 64.0, damping = 1e-6;
  Rigid3d pose = start;
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    const double gate = final_gate * widening;
    const Linearised here = Linearise(problem, peaks, pose, gate, true);
    Matrix6 damped = here.hessian;
    damped.diagonal() += damping * here.hessian.diagonal() + Vector6::Constant(1e-9);
    const Vector6 delta = -damped.ldlt().solve(here.gradient);
    if (!delta.allFinite()) break;
    const Rigid3d next = Step(pose, delta);
    if (Linearise(problem, peaks, next, gate, false).cost <= here.cost) {
      pose = next;
      damping = std::max(1e-9, damping * 0.1);
    } else {
      damping = std::max(1e-6, damping * 100);
      if (damping > 1e8 && widening <= 1) break;
    }
    const bool is_still = delta.head<3>().norm() < 1e-8 && delta.tail<3>().norm() < 1e-7;
    if (is_still && widening <= 1) break;
    if (widening > 1 && (iteration % 2 == 1 || is_still)) widening = std::max(1.0, widening / 8);
  }
  RigidFit fit;
  fit.world_from_tool = pose;
  const Linearised last = Linearise(problem, peaks, pose, final_gate, true);
  fit.cost = last.cost;
  fit.information = last.hessian;
  Summarise(problem, peaks, fit);
  return fit;
}

}  // namespace aim
