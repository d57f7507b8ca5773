// The rigid pose whose anchors best explain the blobs of all views.
#pragma once

#include <Eigen/Core>
#include <array>
#include <span>
#include <vector>

#include "aim/geometry/camera.h"
#include "codec/peaks.h"

namespace aim {

// What was found in one view: candidates for each anchor's blob.
struct ViewPeaks {
  std::array<std::vector<Peak>, 3> candidates;
};

// A camera as the fit uses it.
struct FitCamera {
  explicit FitCamera(const Camera& camera);
  // False if the point is not in front. `d_uv` [2, 3] is the derivative by the point.
  bool Project(const Eigen::Vector3d& p_in_world, Eigen::Vector2d& uv,
               Eigen::Matrix<double, 2, 3>* d_uv) const;
  // Whether an array index lies in the picture.
  bool Contains(const Eigen::Vector2d& uv) const;

  Eigen::Matrix3d camera_from_world_rotation;
  Eigen::Vector3d centre_in_world;
  double fx, fy, cx, cy;
  double width, height;
};

struct FitProblem {
  std::vector<FitCamera> cameras;
  std::vector<ViewPeaks> views;                       // one a camera
  std::array<Eigen::Vector3d, 3> anchors_in_tool;     // metres
  std::vector<std::array<double, 3>> variance_floor;  // px^2 added to every peak, a view
};

struct RigidFit {
  Rigid3d world_from_tool;
  double cost = 0;                          // robust; see kGate
  Eigen::Matrix<double, 6, 6> information;  // of (translation, rotation in the tool frame)
  std::vector<std::array<int, 3>> used;     // candidate that agrees, a view and anchor; -1 none
  int num_used = 0;
  int num_expected = 0;    // anchors that fall inside a picture
  double chi_squared = 0;  // of the used peaks, in their standard deviations
};

// Anchors farther than this many standard deviations from every candidate count as not seen; an
// unseen anchor inside a picture costs kGate^2.
inline constexpr double kGate = 4.0;

// A peak's position and the inverse of its covariance, floor included.
struct WeightedPeak {
  Eigen::Vector2d uv;
  Eigen::Matrix2d information;
};
using WeightedViews = std::vector<std::array<std::vector<WeightedPeak>, 3>>;
WeightedViews WeighPeaks(const FitProblem& problem);

// Robust cost of a pose, as RigidFit::cost.
double PoseCost(const FitProblem& problem, const WeightedViews& peaks,
                const Rigid3d& world_from_tool);

// Levenberg-Marquardt from `start`; the loss starts wide and narrows, candidates are chosen anew in
// each step.
RigidFit FitRigid(const FitProblem& problem, const Rigid3d& start);

}  // namespace aim
