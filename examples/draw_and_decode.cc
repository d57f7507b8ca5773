// Draws a gripper pose as action images for two cameras and reads it back from the pictures.
#include <aim/codec/action_image.h>
#include <aim/codec/decoder.h>

#include <cstdio>
#include <span>
#include <vector>

namespace {

constexpr int kSizePx = 128;

// A camera at `eye` that looks at `target`: x right, y down, z forward; metres, pixels.
aim::Camera CameraAt(const Eigen::Vector3d& eye, const Eigen::Vector3d& target) {
  const Eigen::Vector3d z = (target - eye).normalized();
  const Eigen::Vector3d x = z.cross(Eigen::Vector3d::UnitZ()).normalized();
  Eigen::Matrix3d axes;
  axes << x, z.cross(x), z;
  aim::Camera camera;
  camera.width = camera.height = kSizePx;
  camera.fx = camera.fy = 160;
  camera.cx = camera.cy = kSizePx / 2.0;
  camera.world_from_camera = {Eigen::Quaterniond(axes).normalized(), eye};
  return camera;
}

}  // namespace

int main() {
  const Eigen::Vector3d tip(0.3, 0.0, 1.0);
  const std::vector<aim::Camera> cameras = {CameraAt({1.4, 0.2, 1.6}, tip),
                                            CameraAt({0.2, -1.1, 1.9}, tip)};
  aim::ToolPose pose;  // pointing down, gripper open
  pose.world_from_tool = {Eigen::Quaterniond(0, 1, 0, 0), tip};
  pose.gripper_open = 1.0;

  // One picture a camera, [3, height, width] in [0, 1].
  std::vector<std::vector<float>> pictures(cameras.size(),
                                           std::vector<float>(3 * kSizePx * kSizePx));
  for (size_t view = 0; view < cameras.size(); ++view) {
    aim::DrawActionImageInto(pose, cameras[view], {}, pictures[view]);
  }

  const std::vector<std::span<const float>> views(pictures.begin(), pictures.end());
  const aim::DecodedPose decoded = aim::DecodeFrame(views, cameras);
  if (!decoded.decodable) {
    std::puts("not decodable: too little of the gripper is visible");
    return 1;
  }
  const aim::PoseDifference error = aim::Difference(decoded.pose, pose);
  std::printf("error %.4f mm and %.4f degrees, gripper %s, confidence %.2f\n", error.position_mm(),
              error.rotation_deg(), decoded.pose.gripper_open > 0.5 ? "open" : "closed",
              decoded.confidence);
  return error.position_mm() < 0.1 && error.rotation_deg() < 0.1 && error.is_same_gripper ? 0 : 1;
}
