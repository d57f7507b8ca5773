// A camera as two matrices, the way messages and simulators send it.
#pragma once

#include <Eigen/Core>
#include <string>

#include "aim/base/error.h"
#include "aim/base/words.h"
#include "aim/geometry/camera.h"

namespace aim {

// What the matrices mean: OpenCV's axes (x right, y down, z forward) with positive focal lengths,
// or RLBench's (x left, y up) with negative ones. Pixels count from the picture's edge in both.
enum class CameraAxes { kOpencv, kRlbench };
constexpr auto WordsOf(CameraAxes) {
  using enum CameraAxes;
  return WordTable<CameraAxes, 2>{{{kOpencv, "opencv"}, {kRlbench, "rlbench"}}};
}

// Focal lengths whose signs are not those of the axes.
class CameraAxesError : public InputError {
 public:
  explicit CameraAxesError(const Problem& problem) : InputError(problem), problem_(problem) {}
  const Problem& problem() const { return problem_; }

 private:
  Problem problem_;
};

struct CameraPair {
  Eigen::Matrix3d intrinsics;
  Eigen::Matrix4d world_from_camera;
  CameraAxes axes = CameraAxes::kOpencv;
  // What the sender calls the two, and what says which axes they have.
  std::string intrinsics_name;
  std::string extrinsics_name;
  std::string axes_name;
};

// The camera of pictures of this size. Throws InputError naming the matrix: skew, numbers that are
// no rigid motion or no camera of the picture; CameraAxesError.
Camera CameraFromPair(const CameraPair& pair, int width, int height);

}  // namespace aim
