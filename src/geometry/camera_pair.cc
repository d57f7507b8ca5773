#include "aim/geometry/camera_pair.h"

#include "aim/base/text.h"
#include "aim/geometry/checked_camera.h"

namespace aim {

Camera CameraFromPair(const CameraPair& pair, int width, int height) {
  const Eigen::Matrix3d& k = pair.intrinsics;
  const double fx = k(0, 0);
  const double fy = k(1, 1);
  RequirePinholeMatrix(k, pair.intrinsics_name);
  const bool is_rlbench = pair.axes == CameraAxes::kRlbench;
  if (is_rlbench ? !(fx < 0 && fy < 0) : !(fx > 0 && fy > 0)) {
    throw CameraAxesError({.where = pair.intrinsics_name,
                           .got = "with focal lengths " + ToText(fx) + " and " + ToText(fy),
                           .expected = std::string(is_rlbench ? "negative" : "positive") +
                                       " ones, as the " + pair.axes_name + " \"" +
                                       ToWord(pair.axes) + "\" has them",
                           .fix = "say which axes the extrinsics have: " + pair.axes_name});
  }
  const Rigid3d world_from_camera = RigidFromMatrix(pair.world_from_camera, pair.extrinsics_name);
  const Camera camera = is_rlbench
                            ? CameraFromRlbench(k, pair.world_from_camera, width, height)
                            : Camera{width, height, fx, fy, k(0, 2), k(1, 2), world_from_camera};
  Validate(camera, pair.intrinsics_name);
  return camera;
}

}  // namespace aim
