#include "aim/data/vggt_cameras.h"

#include <cmath>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/geometry/checked_camera.h"

namespace aim {
namespace {

// [V, 3, columns], or one such batch, as matrices.
std::vector<Eigen::MatrixXd> MatricesOf(const NamedArray& named, std::optional<size_t> num_views,
                                        int64_t columns) {
  std::vector<int64_t> shape = named.array.shape;
  if (shape.size() == 4 && shape[0] == 1) shape.erase(shape.begin());
  const bool is_list = shape.size() == 3 && shape[0] > 0 && shape[1] == 3 && shape[2] == columns;
  if (named.array.type == NpyType::kUint8 || !is_list ||
      (num_views && static_cast<size_t>(shape[0]) != *num_views)) {
    const std::string views = num_views ? std::to_string(*num_views) : "V";
    throw InputError({.where = named.where,
                      .got = "of shape " + ShapeText(named.array.shape),
                      .expected = "floats [" + views + ", 3, " + std::to_string(columns) +
                                  "], one for each " + (num_views ? "video" : "view"),
                      .fix = ""});
  }
  const std::vector<double> values = ToDoubles(named.array);
  std::vector<Eigen::MatrixXd> matrices;
  const auto size = static_cast<size_t>(3 * columns);
  for (size_t i = 0; i < values.size() / size; ++i) {
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    matrices.emplace_back(Eigen::Map<const RowMajor>(values.data() + i * size, 3, columns));
    if (matrices.back().allFinite()) continue;
    throw InputError({.where = named.where + " [" + std::to_string(i) + "]",
                      .got = "a number that is not finite",
                      .expected = "finite numbers",
                      .fix = ""});
  }
  return matrices;
}

Camera CameraOf(const Eigen::MatrixXd& k, const std::string& where) {
  RequirePinholeMatrix(k, where);
  const double width = std::round(2 * k(0, 2));
  const double height = std::round(2 * k(1, 2));
  const bool has_focal_lengths = k(0, 0) > 0 && k(1, 1) > 0;
  const bool has_size =
      width >= 1 && height >= 1 && width <= kMaxPictureSidePx && height <= kMaxPictureSidePx;
  if (!has_focal_lengths || !has_size) {
    throw InputError({.where = where,
                      .got = "with focal lengths " + ToText(k(0, 0)) + " and " + ToText(k(1, 1)) +
                             ", for a picture of " + ToText(width) + " x " + ToText(height),
                      .expected = "fx 0 cx; 0 fy cy; 0 0 1 with positive numbers, the principal "
                                  "point in the middle of the picture",
                      .fix = "find the cameras again with VGGT"});
  }
  Camera camera;
  camera.width = static_cast<int>(width);
  camera.height = static_cast<int>(height);
  camera.fx = k(0, 0);
  camera.fy = k(1, 1);
  camera.cx = k(0, 2);
  camera.cy = k(1, 2);
  return camera;
}

}  // namespace

std::vector<Camera> VggtCameras(const NamedArray& extrinsics, const NamedArray& intrinsics,
                                std::optional<size_t> num_views) {
  const auto poses = MatricesOf(extrinsics, num_views, 4);
  const auto lenses = MatricesOf(intrinsics, poses.size(), 3);
  std::vector<Camera> cameras;
  for (size_t view = 0; view < poses.size(); ++view) {
    const std::string number = " [" + std::to_string(view) + "]";
    Camera camera = CameraOf(lenses[view], intrinsics.where + number);
    Eigen::Matrix4d camera_from_world = Eigen::Matrix4d::Identity();
    camera_from_world.topRows<3>() = poses[view];
    camera.world_from_camera =
        Inverse(RigidFromMatrix(camera_from_world, extrinsics.where + number));
    cameras.push_back(camera);
  }
  return cameras;
}

Camera AtPictureSize(const Camera& camera, int width, int height, const std::string& where) {
  const std::optional<Camera> resized =
      ForResizedPictures(camera, 2 * camera.cx, 2 * camera.cy, width, height);
  if (resized) return *resized;
  throw InputError({.where = where,
                    .got = "intrinsics of pictures of " + ToText(2 * camera.cx) + " x " +
                           ToText(2 * camera.cy) + " pixels",
                    .expected = "the shape of the video, " + SizeText(width, height),
                    .fix = "find the cameras again from whole frames of this video"});
}

}  // namespace aim
