#include "aim/geometry/plucker.h"

#include "aim/base/error.h"

namespace aim {

void PluckerRaysInto(const Camera& camera, const Rigid3d& world_from_reference, int rows,
                     int columns, std::span<float> out) {
  const size_t plane = static_cast<size_t>(rows) * static_cast<size_t>(columns);
  AIM_CHECK(out.size() == 6 * plane);
  const Rigid3d reference_from_camera = Inverse(world_from_reference) * camera.world_from_camera;
  const Eigen::Matrix3d rotation = reference_from_camera.rotation.toRotationMatrix();
  const Eigen::Vector3d& centre = reference_from_camera.translation;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const double u = (column + 0.5) * camera.width / columns;
      const double v = (row + 0.5) * camera.height / rows;
      const Eigen::Vector3d ray_in_camera((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy,
                                          1.0);
      const Eigen::Vector3d direction = (rotation * ray_in_camera).normalized();
      const Eigen::Vector3d moment = centre.cross(direction) / 3.0;
      const size_t pixel =
          static_cast<size_t>(row) * static_cast<size_t>(columns) + static_cast<size_t>(column);
      for (int axis = 0; axis < 3; ++axis) {
        out[static_cast<size_t>(axis) * plane + pixel] = static_cast<float>(direction[axis]);
        out[static_cast<size_t>(axis + 3) * plane + pixel] = static_cast<float>(moment[axis]);
      }
    }
  }
}

}  // namespace aim
