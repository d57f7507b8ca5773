// Blobs of a known pose as the decoder hands them to the rigid fit.
#pragma once

#include <vector>

#include "aim/codec/action_image.h"
#include "codec/rigid_fit.h"

namespace aim::testing {

inline Peak PeakAt(const Eigen::Vector2d& uv, double deviation_px) {
  return {uv, Eigen::Matrix2d::Identity() / (deviation_px * deviation_px), 1.0};
}

// One exact peak for each anchor and view, wherever it lies, of this standard deviation; the floor
// is a tenth of it.
inline FitProblem MakeFitProblem(const Rigid3d& world_from_tool, const std::vector<Camera>& cameras,
                                 double deviation_px = 0.5) {
  FitProblem problem;
  problem.anchors_in_tool = AnchorPoints(ToolPose{});
  const double floor = 0.01 * deviation_px * deviation_px;
  for (const Camera& camera : cameras) {
    problem.cameras.emplace_back(camera);
    problem.variance_floor.push_back({floor, floor, floor});
    ViewPeaks peaks;
    for (size_t anchor = 0; anchor < 3; ++anchor) {
      const auto projection = Project(camera, world_from_tool * problem.anchors_in_tool[anchor]);
      if (projection) peaks.candidates[anchor] = {PeakAt(projection->uv, deviation_px)};
    }
    problem.views.push_back(peaks);
  }
  return problem;
}

}  // namespace aim::testing
